// SPDX-License-Identifier: Apache-2.0
// A link with data-dialog opens its page's form in a dialog above this page. Without this file the link is just a page.
// The dialog lies outside the live parts, so an update behind it never takes away what somebody is typing.
const dialog = document.getElementById("dialog");
const REFERENCES = ["for", "aria-describedby", "aria-labelledby", "list"];
let opener = ""; // id of the link: an update behind the dialog may have put another one in its place

// The browser gives the focus back itself, unless what had it is gone.
dialog?.addEventListener("close", () => {
  const focused = document.activeElement;
  if (focused === document.body || dialog.contains(focused)) document.getElementById(opener)?.focus();
});

// The page behind may have a field of the same name, and so of the same id: a label in the dialog would be that one's.
function apart(form) {
  const names = new Map();
  for (const node of form.querySelectorAll("[id]")) {
    if (!document.getElementById(node.id)) continue;
    names.set(node.id, `dialog-${node.id}`);
    node.id = names.get(node.id);
  }
  for (const name of REFERENCES) {
    for (const node of form.querySelectorAll(`[${name}]`)) {
      node.setAttribute(name, node.getAttribute(name).split(" ").map((id) => names.get(id) ?? id).join(" "));
    }
  }
  return form;
}

async function open(link) {
  let answer;
  try {
    answer = await fetch(link.href, { headers: { "HX-Request": "true" }, redirect: "error" });
  } catch {
    location.assign(link.href); // signed out, or no network: the page itself says which
    return;
  }
  const form = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-dialog-body]");
  if (!form) {
    location.assign(link.href);
    return;
  }
  opener = link.id;
  dialog.replaceChildren();
  dialog.replaceChildren(document.importNode(apart(form), true));
  dialog.setAttribute("aria-labelledby", form.querySelector("h1")?.id ?? "");
  dialog.showModal();
  dialog.querySelector("textarea, input:not([type=hidden]), select")?.focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && dialog && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    open(link);
  } else if (event.target.closest("[data-dialog-close]") && dialog?.open) {
    event.preventDefault();
    dialog.close();
  }
});

// Twice on the button is still once.
document.addEventListener("submit", ({ target }) => {
  if (target.method !== "post") return;
  setTimeout(() => target.querySelectorAll("button[type=submit]").forEach((button) => (button.disabled = true)));
});
addEventListener("pageshow", () => document.querySelectorAll("form button[disabled]:not([data-off])").forEach((button) => (button.disabled = false)));

// Menus close when one clicks elsewhere or presses Escape.
document.addEventListener("click", ({ target }) => {
  for (const menu of document.querySelectorAll("details.nav-more[open]")) if (!menu.contains(target)) menu.open = false;
});
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape") for (const menu of document.querySelectorAll("details.nav-more[open]")) menu.open = false;
});
