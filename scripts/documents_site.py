# SPDX-License-Identifier: Apache-2.0
"""Builds the documents as a site into the given folder: `python scripts/documents_site.py build/site`.

Pages lie in it as they lie in the repository, so that a link is right in both or in neither; which pages there are is
read off the folders. A link that leads nowhere, and anything a browser would fetch from elsewhere, stops it.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STAGE = ROOT / "build/site-source"
CONFIGURATION = ROOT / "build/mkdocs.yml"
THEME = ROOT / "docs/site"
TOP = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "GLOSSARY.md", "THREAT_MODEL.md")
FIRST_HOWTOS = (
    "first-plant",
    "install",
    "gateway",
    "connector",
    "rules",
    "profiles",
    "recordings",
    "register",
    "sinks",
)
_LINK = re.compile(r"(\[[^\]]*\]\()([^)\s#]+)(#[^)\s]*)?\)")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_FOREIGN_CSS = re.compile(r"""(?:@import\s+|url\(\s*)["']?(?:https?:)?//[^"')\s]+""")


def stage() -> None:
    shutil.rmtree(STAGE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", STAGE / "docs", ignore=shutil.ignore_patterns("site", "*.json"))
    for name in TOP:
        shutil.copy(ROOT / name, STAGE / name)
    decisions = sorted((STAGE / "docs/decisions").glob("[0-9]*.md"))
    listed = "".join(f"- [{title(page)}]({page.name})\n" for page in decisions)
    (STAGE / "docs/decisions/index.md").write_text(
        f"# Decisions\n\nOne page each, with what else was possible.\n\n{listed}\n[Dependencies](dependencies.md)\n"
    )
    for page in sorted(STAGE.rglob("*.md")):
        page.write_text(_LINK.sub(partial(_linked, page), page.read_text()))


def _linked(page: Path, found: re.Match[str]) -> str:
    """Files of ours that a page names come along; a folder is shown by its index, else by its name alone."""
    before, target, anchor = found[1], found[2], found[3] or ""
    if "://" in target or target.startswith("mailto:"):
        return found[0]
    there = (page.parent / target).resolve()
    source = ROOT / there.relative_to(STAGE) if there.is_relative_to(STAGE) else there
    if source.is_dir():
        return f"{before}{target.rstrip('/')}/index.md)" if (there / "index.md").exists() else before[1:-2]
    if source.is_file() and not there.exists():
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, there)
    return f"{before}{target}{anchor})"


def title(page: Path) -> str:
    found = _TITLE.search(page.read_text())
    return found[1] if found else page.stem


def nav() -> list[dict[str, Any]]:
    howtos = sorted((STAGE / "docs/howto").glob("*.md"), key=_rank)
    return [
        {"Portineria": "README.md"},
        {"Tutorial": "docs/tutorial.md"},
        {"How to": _listed(howtos)},
        {"Reference": _listed([*sorted((STAGE / "docs/reference").rglob("*.md")), STAGE / "GLOSSARY.md"])},
        {
            "Explanations": _listed(
                [
                    *sorted((STAGE / "docs/explanation").glob("*.md")),
                    *(STAGE / name for name in ("ARCHITECTURE.md", "THREAT_MODEL.md", "docs/performance.md")),
                ]
            )
        },
        {
            "Taking part": _listed(
                [STAGE / "CONTRIBUTING.md", *sorted((STAGE / "docs/decisions").glob("*.md"), key=_index)]
            )
        },
    ]


def _rank(page: Path) -> tuple[int, str]:
    return (FIRST_HOWTOS.index(page.stem) if page.stem in FIRST_HOWTOS else len(FIRST_HOWTOS), page.stem)


def _index(page: Path) -> tuple[bool, str]:
    return page.stem != "index", page.stem


def _listed(pages: list[Path]) -> list[dict[str, str]]:
    return [{title(page): str(page.relative_to(STAGE))} for page in pages]


def configuration(target: Path) -> dict[str, Any]:
    return {
        "site_name": "Portineria",
        "docs_dir": str(STAGE),
        "site_dir": str(target.resolve()),
        "use_directory_urls": False,
        "strict": True,
        "nav": nav(),
        "theme": {
            "name": "material",
            "font": False,
            "custom_dir": str(THEME),
            "features": ["navigation.indexes", "navigation.top", "content.code.copy"],
            "palette": [{"media": "(prefers-color-scheme: light)", "scheme": "default"},
                        {"media": "(prefers-color-scheme: dark)", "scheme": "slate"}],
        },
        "plugins": ["search"],
        "markdown_extensions": [
            "attr_list", "tables", {"toc": {"permalink": True}}, "pymdownx.highlight", "pymdownx.superfences",
        ],
        "validation": {
            "nav": {"omitted_files": "warn", "not_found": "warn"},
            "links": {"not_found": "warn", "anchors": "warn", "absolute_links": "warn", "unrecognized_links": "warn"},
        },
    }  # fmt: skip


class _Fetched(HTMLParser):
    """What a browser asks for by itself while it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []
        self.bounded = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.bounded |= said.get("http-equiv", "").lower() == "content-security-policy"
        if tag != "a":
            self.places += [said[name] for name in ("src", "srcset", "data", "poster") if name in said]
        if tag == "link" and said.get("rel") not in ("canonical", "next", "prev", "alternate"):
            self.places.append(said.get("href", ""))


def foreign(folder: Path) -> Iterator[str]:
    """Whatever would be fetched from elsewhere; pages that do not forbid their scripts to do so."""
    for page in sorted(folder.rglob("*.html")):
        seen = _Fetched()
        seen.feed(page.read_text())
        if not seen.bounded:
            yield f"{page.relative_to(folder)}: no content security policy"
        for place in seen.places:
            if re.match(r"(?:https?:)?//", place):
                yield f"{page.relative_to(folder)}: {place}"
    for sheet in sorted(folder.rglob("*.css")):
        yield from (f"{sheet.relative_to(folder)}: {found}" for found in _FOREIGN_CSS.findall(sheet.read_text()))


def build(target: Path) -> int:
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config
    from mkdocs.exceptions import Abort

    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    stage()
    CONFIGURATION.write_text(json.dumps(configuration(target)))  # what is JSON is YAML
    try:
        build_site(load_config(config_file=str(CONFIGURATION)))
    except Abort as error:
        print(f"{target}: {error}")
        return 1
    found = list(foreign(target))
    print(
        "\n".join(found)
        or f"{target}: {len(list(target.rglob('*.html')))} pages; none fetches anything from elsewhere."
    )
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(build(Path(sys.argv[1])))
