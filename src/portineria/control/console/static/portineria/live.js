// SPDX-License-Identifier: Apache-2.0
// The server says only *that* something changed; a region that cares asks its own page again, as anybody would.
// <section id="now" data-live="remote_sessions. session. access.request." hx-get="/" hx-select="#now" hx-trigger="changed">
const GATHER_MS = 250; // many events of one act become one question
const LEAST_MS = 1000; // and nobody asks more often than this
const LEAVING_MS = 5000; // so long the next page may take to come
const note = document.getElementById("live-note");
const waiting = new Map(); // region id → timer
const asked = new Map(); // region id → when
let left = -Infinity; // when somebody last went on from here

function regions() {
  return document.querySelectorAll("[data-live]");
}

function busy(region) {
  const field = region.querySelector("input:focus, textarea:focus, select:focus");
  return field !== null || [...region.querySelectorAll("textarea, input[type=text]")].some((f) => f.value !== f.defaultValue);
}

function ask(id) {
  waiting.delete(id);
  const region = document.getElementById(id);
  if (!region) return;
  if (busy(region)) {
    later(id, LEAST_MS);
    return;
  }
  asked.set(id, Date.now());
  globalThis.htmx.trigger(region, "changed");
}

function later(id, delay) {
  if (waiting.has(id)) return;
  const rest = LEAST_MS - (Date.now() - (asked.get(id) ?? 0));
  waiting.set(id, setTimeout(ask, Math.max(delay, rest), id));
}

function changed(code) {
  for (const region of regions()) {
    if (!code || region.dataset.live.split(" ").some((beginning) => code.startsWith(beginning))) later(region.id, GATHER_MS);
  }
}

function say(state) {
  if (!note) return;
  note.hidden = state === "";
  note.querySelector("[data-text]").textContent = state ? note.dataset[state] : "";
}

function listen() {
  const looked = document.querySelector("[data-live-session]");
  const address = new URL(document.body.dataset.liveUrl, location.href);
  if (looked) address.searchParams.set("session", looked.dataset.liveSession);
  const request = document.querySelector("[data-live-request]"); // whoever is to watch stands by while it is open
  if (request) address.searchParams.set("request", request.dataset.liveRequest);
  const source = new EventSource(address);
  source.addEventListener("changed", ({ data }) => changed(data));
  source.addEventListener("elsewhere", () => {
    source.close();
    // What was delegated ended, or another customer was chosen: nothing of this page stays. Where it was chosen here, the
    // next page is on its way, and to load this one again would break that off.
    setTimeout(() => location.reload(), Math.max(0, left + LEAVING_MS - Date.now()));
  });
  source.addEventListener("glance", ({ data }) => {
    document.dispatchEvent(new CustomEvent("glance", { detail: JSON.parse(data) }));
  });
  source.addEventListener("open", () => {
    say("");
    changed(""); // what happened since the page was made, or since the last stream broke, was not heard
  });
  source.addEventListener("error", () => {
    say(source.readyState === EventSource.CLOSED ? "signedOut" : "waiting");
  });
  addEventListener("beforeunload", () => { left = Date.now(); });
  addEventListener("pagehide", () => source.close());
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig } = event.detail;
  const region = event.detail.target;
  if (region?.dataset?.live && busy(region)) {
    event.detail.shouldSwap = false; // somebody began to type while the answer was on its way
    later(region.id, LEAST_MS);
  }
  const here = new URL(xhr.responseURL || location.href);
  if (here.pathname !== new URL(requestConfig.path, location.href).pathname) {
    event.detail.shouldSwap = false; // a redirect to the sign-in page is no news about sessions
    say("signedOut");
  }
});

if (document.body.dataset.liveUrl && regions().length) listen();
