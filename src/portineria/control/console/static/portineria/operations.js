// SPDX-License-Identifier: Apache-2.0
// What a session does at this moment, as its gateway shows it: live.js hands on each message, this writes it as rows.
// Names and values are what a tool and a device sent: they are put in as text and never read as anything else.
const ROWS = 200; // that stay on the page; the recording has them all
const rows = new Map(); // "boot-number" → row

const card = () => document.getElementById("operations");

export function words(region) {
  const found = new Map();
  for (const one of region.querySelectorAll("[data-word]")) found.set(one.dataset.word, one.textContent);
  return (kind, code) => found.get(`${kind}:${code}`) ?? code;
}

export function clock(region) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    timeZone: region.dataset.zone || "UTC", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  });
  return (ms) => (ms > 0 ? format.format(new Date(ms)) : "—");
}

export function put(row, name, text) {
  const place = row.querySelector(`[data-put="${name}"]`);
  place.textContent = text;
  place.closest("[data-when-any]")?.toggleAttribute("hidden", text === "");
}

export function verdict(row, code, text) {
  const known = { passed: "rest", refused: "stop", noted: "wait", reported: "accent" };
  const place = row.querySelector('[data-put="verdict"]');
  place.className = `state state-${known[code] ?? "wait"}`;
  place.textContent = text;
}

function answer(row, line, region) {
  put(row, "answer", line.error ? `${region.dataset.deviceError} ${line.error}` : line.answer);
}

function rowOf(line, region, say) {
  const row = region.querySelector("template[data-row]").content.firstElementChild.cloneNode(true);
  put(row, "time", clock(region)(line.at_ms));
  verdict(row, line.verdict, say("verdict", line.verdict));
  put(row, "count", line.count > 1 ? `${line.count} ×` : "");
  put(row, "kind", say("kind", line.kind));
  put(row, "function", `${line.function} (${line.protocol})`);
  row.querySelector("[data-new]").hidden = !line.new;
  put(row, "targets", line.targets);
  put(row, "route", line.route);
  put(row, "values", line.values);
  answer(row, line, region);
  return row;
}

function more(count, region) {
  const row = region.querySelector("template[data-more]").content.firstElementChild.cloneNode(true);
  put(row, "more", String(count));
  return row;
}

function show(message) {
  const region = card();
  if (!region) return;
  const body = region.querySelector("tbody");
  const say = words(region);
  for (const line of message.answers) {
    const row = rows.get(`${message.boot}-${line.number}`);
    if (row) answer(row, line, region);
  }
  for (const line of message.lines) {
    const row = rowOf(line, region, say);
    rows.set(`${message.boot}-${line.number}`, row);
    body.prepend(row);
  }
  if (message.beyond) body.prepend(more(message.beyond, region));
  while (body.children.length > ROWS) body.lastElementChild.remove();
  for (const [name, row] of rows) if (!row.isConnected) rows.delete(name);
  region.querySelector("[data-none]").hidden = body.children.length > 0;
  region.querySelector("[data-some]").hidden = body.children.length === 0;
}

const held = [];
let still = false;

document.addEventListener("glance", ({ detail }) => {
  if (!still) show(detail);
  else if (held.push(detail) > ROWS) held.shift();
});

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-still]");
  if (!button) return;
  still = !still;
  button.setAttribute("aria-pressed", String(still));
  if (!still) held.splice(0).forEach(show);
});
