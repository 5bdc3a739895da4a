// SPDX-License-Identifier: Apache-2.0
// Says in words what happened when the browser or the key did not go on.
document.addEventListener("allauth.error", (event) => {
  const note = document.getElementById("passkey-note");
  if (!note) return;
  event.preventDefault();
  note.hidden = false;
  note.focus();
});
