// SPDX-License-Identifier: Apache-2.0
import "./countdown.js";
import "./copy.js";
import "./dialog.js";
import "./live.js";
import "./operations.js";

// Selects that act at once, such as the language; without scripts a button stands beside them.
document.addEventListener("change", ({ target }) => {
  if (target.matches("select[data-submit]")) target.form.requestSubmit();
});
for (const button of document.querySelectorAll("[data-without-script]")) button.hidden = true;
