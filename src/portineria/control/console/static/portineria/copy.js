// SPDX-License-Identifier: Apache-2.0
// <button data-copy="text" data-copied="Copied">: puts the text on the clipboard and says so, also to screen readers.
async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Plain http on another name than localhost has no clipboard: select the text, so that Ctrl-C works.
    const shown = button.parentElement.querySelector("code, .mono");
    if (shown) getSelection().selectAllChildren(shown);
    return;
  }
  button.dataset.done = "";
  const said = document.getElementById("said");
  if (said) said.textContent = button.dataset.copied;
  setTimeout(() => delete button.dataset.done, 1500);
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-copy]");
  if (button) copy(button);
});
