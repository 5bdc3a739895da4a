// SPDX-License-Identifier: Apache-2.0
// Counts down (data-countdown) or up (data-elapsed) to and from the server's time, whatever this computer's clock says.
const page = document.documentElement;
const ahead = Date.parse(page.dataset.now) - Date.now();

function clock(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const rest = [Math.floor((seconds % 3600) / 60), seconds % 60].map((n) => String(n).padStart(2, "0")).join(":");
  if (days) return `${days} ${page.dataset.dayUnit} ${hours}:${rest}`;
  return hours ? `${hours}:${rest}` : rest;
}

function show() {
  const now = Date.now() + ahead;
  for (const element of document.querySelectorAll("[data-countdown]")) {
    const left = Math.ceil((Date.parse(element.dataset.countdown) - now) / 1000);
    const text = left > 0 ? clock(left) : (element.dataset.over ?? clock(0));
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of document.querySelectorAll("[data-elapsed]")) {
    const text = clock(Math.max(0, Math.floor((now - Date.parse(element.dataset.elapsed)) / 1000)));
    if (element.textContent !== text) element.textContent = text;
  }
}

show();
setInterval(show, 1000);
document.addEventListener("htmx:afterSwap", show);
