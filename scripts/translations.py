# SPDX-License-Identifier: Apache-2.0
"""Keeps the translation files complete, without the gettext programs: `scripts/translations.py check` or `update`.

Texts are found in our Python by the gettext calls and in templates by Django's own reading of {% translate %} and
{% blocktranslate %}. `update` adds new ones, empty, and drops those no longer used; `check` names what is missing.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
CONTROL = ROOT / "src/portineria/control"
LOCALE = CONTROL / "console/locale"
LANGUAGES = ("it", "ja")

_PLURAL = (1, 2)
_CONTEXT = ((1, "c"), 2)
_CONTEXT_PLURAL = ((1, "c"), 2, 3)
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": _PLURAL,
    "ngettext_lazy": _PLURAL,
    "pgettext": _CONTEXT,
    "pgettext_lazy": _CONTEXT,
    "npgettext": _CONTEXT_PLURAL,
    "npgettext_lazy": _CONTEXT_PLURAL,
}
_PYTHON_FORMAT = re.compile(r"%\(\w+\)[sd]")


def source_of(path: Path) -> str:
    """Python as it is; a template as the Python-like text Django turns it into for extraction."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        return text
    pythonic = templatize(text, origin=str(path))
    # The indentation of a template means nothing, but would to Python's tokenizer.
    return "\n".join(line.strip() for line in pythonic.splitlines())


def sources() -> Iterator[Path]:
    yield from sorted(path for path in CONTROL.rglob("*.py") if "migrations" not in path.parts)
    yield from sorted(path for path in CONTROL.rglob("templates/**/*") if path.suffix in {".html", ".txt"})


def texts_in_use() -> Catalog:
    catalogue = Catalog(project="Portineria", charset="utf-8", fuzzy=False)
    for path in sources():
        lines = io.BytesIO(source_of(path).encode())
        for number, text, comments, context in extract("python", lines, KEYWORDS, ["Translators:"]):
            place = (path.relative_to(ROOT).as_posix(), number)
            catalogue.add(text, locations=[place], auto_comments=comments, context=context)
    return catalogue


def catalogue_path(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES/django.po"


def translations(language: str) -> Catalog:
    path = catalogue_path(language)
    if not path.exists():
        return Catalog(
            locale=language,
            header_comment="# SPDX-License-Identifier: Apache-2.0",
            project="Portineria",
            version="",
            msgid_bugs_address="",
            last_translator="",
            language_team="",
            charset="utf-8",
            fuzzy=False,
        )
    with path.open("rb") as source:
        return read_po(source, locale=language)


def fault_of(wanted: Message, found: Message | None) -> str | None:
    if found is None:
        return "is not in the file: make messages"
    if found.fuzzy:
        return "is marked fuzzy"
    forms = found.string if isinstance(found.string, (list, tuple)) else (found.string,)
    if not forms or not all(forms):
        return "is not translated"
    return fault_of_placeholders(wanted, tuple(str(form) for form in forms))


def fault_of_placeholders(wanted: Message, forms: tuple[str, ...]) -> str | None:
    """A form may leave a placeholder out ("one session"), but may not bring one the code does not fill."""
    known = set(_PYTHON_FORMAT.findall(" ".join(wanted.id) if isinstance(wanted.id, (list, tuple)) else wanted.id))
    unknown = {name for form in forms for name in _PYTHON_FORMAT.findall(form)} - known
    return f"has unknown placeholders {sorted(unknown)}" if unknown else None


def faults() -> Iterator[str]:
    in_use = texts_in_use()
    for language in LANGUAGES:
        have = translations(language)
        for wanted in in_use:
            if not wanted.id:
                continue  # the header of the file
            key = wanted.id[0] if isinstance(wanted.id, (list, tuple)) else wanted.id
            if fault := fault_of(wanted, have.get(key, wanted.context)):
                place = "{}:{}".format(*wanted.locations[0])
                yield f"{language}: {key!r} ({place}) {fault}"


def update() -> None:
    in_use = texts_in_use()
    for language in LANGUAGES:
        catalogue = translations(language)
        catalogue.update(in_use, no_fuzzy_matching=True, update_creation_date=False)
        catalogue.obsolete.clear()
        path = catalogue_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as target:
            # Line numbers would change the file with every commit; the file names are enough to find a text.
            write_po(target, catalogue, width=100, include_lineno=False, sort_by_file=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("check", "update"))
    verb = parser.parse_args().verb
    settings.configure(USE_I18N=True)  # reading templates needs Django's defaults, none of ours
    if verb == "update":
        update()
        return 0
    found = list(faults())
    print("\n".join(found) or f"Every text is translated into {', '.join(LANGUAGES)}.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
