# SPDX-License-Identifier: Apache-2.0
"""Accessibility of one page after the other, as axe judges it.

To judge contrast takes axe longer than everything else together, and page after page shows the same texts in the same
colours: each combination is judged once. It is known only once axe came to a verdict on it: of a text that is covered,
or of a single letter, it says neither yes nor no, and the next page may show it better.
"""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# Texts whose combinations are not known, three of each. A combination is what the verdict follows from, all grounds
# below included, and where the text stands. Of what nobody sees before it has the focus, and of what has a picture as
# its ground, axe says nothing.
FRESH = """
known => {
  const named = node => node.tagName + "." + node.className + (node.type || "");
  const ground = node => {
    const style = getComputedStyle(node);
    return [style.backgroundColor, style.backgroundImage, style.opacity, style.filter, style.position].join();
  };
  const grounds = node => node === null ? [] : [ground(node), ...grounds(node.parentElement)];
  const off = node => node.closest(":disabled, [aria-disabled=true]") !== null
    || node.closest("label")?.control?.disabled === true;
  const combination = node => {
    const style = getComputedStyle(node);
    return JSON.stringify([
      named(node), named(node.parentElement), style.color, style.fontSize, style.fontWeight, style.textShadow,
      off(node), grounds(node),
    ]);
  };
  const speaks = node => ["INPUT", "SELECT", "TEXTAREA"].includes(node.tagName)
    || [...node.childNodes].some(one => one.nodeType === Node.TEXT_NODE && one.data.trim() !== "");
  const seen = node => {
    const {width, height, right, bottom} = node.getBoundingClientRect();
    return node.checkVisibility() && width > 1 && height > 1 && right > 0 && bottom + scrollY > 0
      && getComputedStyle(node).backgroundImage === "none";
  };
  const times = new Map(known.map(said => [said, 3]));
  const again = said => times.set(said, (times.get(said) || 0) + 1).get(said);
  return [...document.body.querySelectorAll("*")].filter(node => speaks(node) && seen(node))
    .map(node => [node, combination(node)]).filter(([_, said]) => again(said) <= 3);
}"""
CONTRAST = """
async texts => {
  const said = new Map(texts);
  const wanted = {resultTypes: ["violations", "passes"], elementRef: true, preload: false};
  const {violations, passes} = await axe.run(
    {include: texts.map(([node]) => [node])}, {runOnly: ["color-contrast"], ...wanted},
  );
  const judged = [...violations, ...passes].flatMap(one => one.nodes).map(one => said.get(one.element));
  for (const node of violations.flatMap(one => one.nodes)) delete node.element;
  return [judged.filter(one => one !== undefined), violations];
}"""
# No rule of ours reads style sheets.
ALL_ELSE = """
async () => (await axe.run({resultTypes: ["violations"], preload: false, rules: {"color-contrast": {enabled: false}}}))
  .violations"""


class Judge:
    """Of pages that are opened by one test."""

    def __init__(self) -> None:
        self._script: str = Axe().axe_script
        self._known: set[str] = set()

    def structure(self, page: Page) -> list[str]:
        """Names, roles, headings and whatever else is the same in light and dark."""
        self._be_there(page)
        return _said(page, page.evaluate(ALL_ELSE))

    def contrast(self, page: Page) -> list[str]:
        """In the appearance of now, of what has not been judged on another page."""
        texts = page.evaluate_handle(FRESH, sorted(self._known))
        if not texts.evaluate("texts => texts.length"):
            return []
        self._be_there(page)
        judged, violations = texts.evaluate(CONTRAST)
        self._known.update(judged)
        return _said(page, violations)

    def _be_there(self, page: Page) -> None:
        """Half a megabyte: it is handed to the browser once, which has it there on whatever page is opened next."""
        if not page.evaluate("() => 'axe' in window"):
            page.add_init_script(self._script)
            page.evaluate(self._script)


def _said(page: Page, violations: list[dict[str, Any]]) -> list[str]:
    return [
        f"{page.url}: {fault['id']}: {fault['help']}: {node['target']}"
        for fault in violations
        for node in fault["nodes"]
        if fault["impact"] in ("serious", "critical", "moderate")
    ]
