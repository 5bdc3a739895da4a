# SPDX-License-Identifier: Apache-2.0
"""What a page says in another language than English, and what of it nobody translated."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from playwright.sync_api import Page

import portineria.control.console
from tests.browser.world_names import NAMES, WRITTEN

FOLDER = Path(portineria.control.console.__file__).parent / "locale"
# A sentence cannot do without them, and neither Italian nor Japanese has them.
GIVES_AWAY = re.compile(
    r"(?<![\w-])(?:the|of|and|is|are|was|you|your|by|with|from|until|this|that|has|not|to|it)(?![\w@])", re.I
)
SAID = """() => {
  const own = "script, style, code, bdi, .mono, [lang=en], option[value=en]";
  const said = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) if (!texts.currentNode.parentElement.closest(own)) said.push(texts.currentNode.data);
  for (const name of ["aria-label", "title", "placeholder", "alt", "data-label", "data-waiting", "data-signed-out"])
    for (const node of document.body.querySelectorAll(`[${name}]`)) said.push(node.getAttribute(name));
  return [...new Set(said.map(one => one.trim().replace(/\\s+/g, " ")).filter(one => one !== ""))];
}"""


LABELS = """() => {
  const labels = "h1, h2, h3, th[scope=col], dt, label, legend, summary, caption, button, .btn, nav a";
  return [...document.body.querySelectorAll(labels)].filter(one => !one.closest("[lang=en]")).map(one => {
    const copy = one.cloneNode(true);
    for (const name of copy.querySelectorAll("code, bdi, .mono, select")) name.remove();
    return copy.textContent.trim().replace(/\\s+/g, " ");
  });
}"""
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
WORD = re.compile(r"[a-z]{2}")


def left_in_english(page: Page, language: str) -> list[str]:
    """Empty for English itself, where nothing has to be."""
    if language == "en":
        return []
    ours = _english(language)
    found = [said for said in page.evaluate(SAID) if said in ours or (GIVES_AWAY.search(said) and not _theirs(said))]
    return found + (_never_translatable(page) if language == "ja" else [])


def _never_translatable(page: Page) -> list[str]:
    """Labels without a single Japanese letter that nobody could have translated, because they are not marked for it."""
    parts = {part for label in page.evaluate(LABELS) for part in label.split(" · ")}
    words = {part for part in parts if WORD.search(part) and not JAPANESE.search(part)}
    return sorted(word for word in words - NAMES if not re.search(r"\d", word))


def _theirs(said: str) -> bool:
    return any(written in said for written in WRITTEN)


@cache
def _english(language: str) -> frozenset[str]:
    """Each of our texts that is another one in this language."""
    with (FOLDER / language / "LC_MESSAGES/django.po").open("rb") as file:
        messages = read_po(file)
    texts = {(message.id, message.string) for message in messages if isinstance(message.id, str)}
    same = {text for text, translated in texts if text == translated}  # of one context; another one may differ
    return frozenset(text for text, _ in texts) - same - NAMES
