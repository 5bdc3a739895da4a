// SPDX-License-Identifier: Apache-2.0
// Light or dark: as the system says, until somebody chooses; the choice stays in this browser.
// The page loads this before it paints (blocking="render"), so that nothing flashes.
const STORED = "portineria-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function chosen() {
  try {
    return localStorage.getItem(STORED) ?? "system";
  } catch {
    return "system"; // storage is switched off: the system decides
  }
}

function apply() {
  const choice = chosen();
  const dark = choice === "dark" || (choice === "system" && system.matches);
  document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
  for (const select of document.querySelectorAll("[data-theme-switch]")) {
    select.value = choice;
    select.closest("[hidden]")?.removeAttribute("hidden");
  }
}

function remember(choice) {
  try {
    localStorage.setItem(STORED, choice);
  } catch {
    document.documentElement.dataset.bsTheme = choice === "dark" ? "dark" : "light";
  }
}

apply();
system.addEventListener("change", apply);
addEventListener("storage", apply); // another tab chose
document.addEventListener("DOMContentLoaded", apply);
document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-theme-switch]")) return;
  remember(target.value);
  apply();
});
