// SPDX-License-Identifier: Apache-2.0
// A recording opened in the browser: chunks come from the server, the identity from a file that stays here.
// docs/reference/recording.md has the format. What is in it is what a tool and a device sent: text, and nothing else.
import { Decrypter } from "../vendor/age/age-encryption/index.js";
import { clock, put, verdict, words } from "./operations.js";

const MAGIC = "PRTREC1\n";
const PLAIN_BYTES = 64 << 20; // of one chunk, unpacked: many times what a gateway seals together
const IDENTITY_BYTES = 64 << 10;
const MOST = 200_000; // operations that one page keeps
const LEAF = 200;
const ITEMS = 128;
const SLOTS = 120; // parts of the time that the picture divides

const page = document.getElementById("playback");
const played = document.getElementById("played");
const said = document.getElementById("playback-said");
const field = (name) => document.getElementById(name);
let all = [];
let found = [];
let first = 0;
let slots = [];

async function identities(file) {
  const text = file.size <= IDENTITY_BYTES ? await file.text() : "";
  return text.split("\n").map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
}

async function unpacked(data) {
  const parts = [];
  let size = 0;
  for await (const part of new Response(new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"))).body) {
    size += part.length;
    if (size > PLAIN_BYTES) throw new RangeError("a chunk that never ends");
    parts.push(part);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

const length = (data, at) => new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(at);

async function index(decrypter, data) {
  if (new TextDecoder("latin1").decode(data.subarray(0, MAGIC.length)) !== MAGIC) throw new TypeError("no chunk");
  const start = MAGIC.length + 4 + length(data, MAGIC.length);
  const plain = await unpacked(await decrypter.decrypt(data.subarray(start)));
  const text = new TextDecoder().decode(plain.subarray(4, 4 + length(plain, 0)));
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

const text = (value) => (Array.isArray(value) ? value.slice(0, ITEMS).map(String).join(", ") : value === undefined ? "" : String(value));

// Where something was cut out before it was kept: docs/reference/recording.md has the rules.
function cutOut(line, streams) {
  const way = line.direction === 1 ? page.dataset.fromDevice : page.dataset.toDevice;
  return {
    ms: line.at_ns / 1e6, verdict: "cut", kind: text(line.cut), protocol: streams.get(line.stream) ?? "",
    function: `${page.dataset.rule} ${text(line.cut)}`, targets: `${way}, ${page.dataset.fromByte} ${Number(line.at)}`, route: "",
    values: `${Number(line.bytes)} ${page.dataset.bytes}` + (line.sha256 ? `, sha256 ${text(line.sha256)}` : ""), answer: "",
  };
}

function take(rows, byNumber, lines) {
  const streams = new Map();
  for (const line of lines) {
    if (line.device !== undefined) streams.set(line.stream, text(line.device));
    if (line.cut !== undefined && rows.length < MOST) rows.push(cutOut(line, streams));
    if (typeof line.operation !== "number" || rows.length >= MOST) continue;
    const is = line.is ?? {};
    if (Array.isArray(is.answers)) {
      is.answers.forEach((number, place) => {
        const row = byNumber.get(number);
        if (row) row.answer = is.error ? `${page.dataset.deviceError} ${is.error}` : text(is.values?.[place]);
      });
      continue;
    }
    const long = line.too_long !== undefined;
    const row = {
      ms: line.at_ns / 1e6, verdict: text(is.verdict), kind: text(is.kind), protocol: text(is.protocol),
      function: text(is.function), targets: long ? page.dataset.tooLong : text(is.targets), route: text(is.route?.join?.(" > ")),
      values: text(is.values), answer: "",
    };
    rows.push(row);
    byNumber.set(line.operation, row);
  }
}

async function open(file) {
  const keys = await identities(file);
  const decrypter = new Decrypter();
  try {
    for (const key of keys) decrypter.addIdentity(key);
  } catch {
    keys.length = 0;
  }
  if (keys.length === 0) return say(page.dataset.wrong);
  const rows = [];
  let broken = 0;
  let parts = 0;
  for (const recording of page.querySelectorAll("[data-recording]")) {
    const byNumber = new Map();
    for (let number = 1; number <= Number(recording.dataset.chunks); number += 1) {
      say(`${page.dataset.reading} ${(parts += 1)}`);
      try {
        const answer = await fetch(`${recording.dataset.url}${number}/`, { cache: "no-store" });
        if (!answer.ok) throw new Error(String(answer.status));
        take(rows, byNumber, await index(decrypter, new Uint8Array(await answer.arrayBuffer())));
      } catch {
        broken += 1;
      }
    }
  }
  if (broken === parts) return say(page.dataset.wrong);
  say(broken ? page.dataset.broken : "");
  all = rows;
  choices("verdict");
  choices("kind");
  played.hidden = false;
  filter();
}

function say(words) {
  said.textContent = words;
}

function choices(name) {
  const named = words(page);
  const select = field(name);
  while (select.options.length > 1) select.remove(1);
  for (const code of new Set(all.map((row) => row[name]))) {
    if (code) select.add(new Option(named(name, code), code));
  }
}

function filter() {
  const [search, target] = [field("search").value.toLowerCase(), field("target").value.toLowerCase()];
  const [decision, kind] = [field("verdict").value, field("kind").value];
  found = all.filter((row) =>
    (!decision || row.verdict === decision) && (!kind || row.kind === kind) && row.targets.toLowerCase().includes(target) &&
    (!search || [row.function, row.targets, row.values, row.answer, row.route, row.protocol].some((part) => part.toLowerCase().includes(search))));
  draw();
  show(0);
}

function draw() {
  let [from, to] = [Infinity, -Infinity];
  for (const row of found) [from, to] = [Math.min(from, row.ms), Math.max(to, row.ms)];
  slots = Array.from({ length: SLOTS }, () => ({ count: 0, refused: 0, first: 0 }));
  found.forEach((row, place) => {
    const slot = slots[Math.min(SLOTS - 1, Math.floor(((row.ms - from) / (to - from || 1)) * SLOTS))];
    if (slot.count === 0) slot.first = place;
    slot.count += 1;
    if (row.verdict === "refused") slot.refused += 1;
  });
  const most = Math.max(...slots.map((slot) => slot.count), 1);
  field("in-time").replaceChildren(...slots.flatMap((slot, place) => {
    const height = slot.count && Math.max(2, (slot.count / most) * 36);
    return [slot.count && column(place, 36 - height, height, "bar-inside"), slot.refused && column(place, 39, 9, "bar-refused")].filter(Boolean);
  }));
  const told = clock(page);
  played.querySelector("[data-from]").textContent = found.length ? told(from) : "";
  played.querySelector("[data-to]").textContent = found.length ? told(to) : "";
}

function column(place, y, height, kind) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ x: place, y, width: 0.8, height, class: kind })) made.setAttribute(name, String(value));
  return made;
}

function jump(event) {
  const box = event.currentTarget.getBoundingClientRect();
  const wanted = Math.floor(((event.clientX - box.left) / box.width) * SLOTS);
  const near = slots.map((slot, place) => place).filter((place) => slots[place].count)
    .sort((one, other) => Math.abs(one - wanted) - Math.abs(other - wanted));
  if (near.length) show(slots[near[0]].first, slots[near[0]].first);
}

function show(at, mark = -1) {
  first = Math.max(0, Math.min(at, found.length - 1));
  const body = played.querySelector("tbody");
  const [named, told] = [words(page), clock(page)];
  body.replaceChildren(...found.slice(first, first + LEAF).map((one, place) => {
    const row = page.querySelector("template[data-row]").content.firstElementChild.cloneNode(true);
    put(row, "time", told(one.ms));
    verdict(row, one.verdict, named("verdict", one.verdict));
    put(row, "count", "");
    put(row, "kind", named("kind", one.kind));
    put(row, "function", `${one.function} (${one.protocol})`);
    for (const name of ["targets", "route", "values", "answer"]) put(row, name, one[name]);
    if (first + place === mark) row.classList.add("marked");
    return row;
  }));
  played.querySelector("[data-shown]").textContent = String(found.length);
  played.querySelector("[data-all]").textContent = String(all.length);
  field("earlier").disabled = first === 0;
  field("later").disabled = first + LEAF >= found.length;
  body.querySelector(".marked")?.scrollIntoView({ block: "center" });
}

let refused = -1;
function nextRefusal() {
  const next = found.findIndex((row, place) => place > refused && row.verdict === "refused");
  refused = next === -1 ? found.findIndex((row) => row.verdict === "refused") : next;
  if (refused !== -1) show(Math.floor(refused / LEAF) * LEAF, refused);
}

if (page) {
  const chosen = () => field("identity").files.length && open(field("identity").files[0]);
  field("identity").addEventListener("change", chosen);
  chosen(); // before this module was here
  for (const name of ["search", "target", "verdict", "kind"]) {
    field(name).addEventListener("input", () => {
      refused = -1;
      filter();
    });
  }
  field("in-time").addEventListener("click", jump);
  field("refusal").addEventListener("click", nextRefusal);
  field("earlier").addEventListener("click", () => show(first - LEAF));
  field("later").addEventListener("click", () => show(first + LEAF));
}
