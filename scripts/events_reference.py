# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/events.md from the event catalogue: `write`, or `check` that it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings

from portineria.control.console.texts.events import EVENTS, GROUPS, codes_of
from portineria.core import event_meaning
from portineria.core.event import CATALOGUE, REPORTED_BY_GATEWAYS, DataClass
from portineria.core.event_meaning import MEANINGS, TECHNIQUES, Severity

REFERENCE = Path(__file__).resolve().parent.parent / "docs/reference/events.md"
HEAD = """# Events

Written by `scripts/events_reference.py write` from `core/event.py`, `core/event_meaning.py` and the console's texts;
a test holds it against them. Everything that happens is an event of the register; no other code or field enters it.

A field without a mark is **public**: it stands in the register as it is. *Personal* ones (marked p) stand there as a
salted hash, and their value can be erased; of *secret* ones (marked s) only the salted hash is kept. Every event has
besides: organisation, number, time, actor and the hash of the one before ([ledger.md](ledger.md)).

Severity is that of syslog (RFC 5424, 6.2.1), outcome that of ECS. Techniques are of MITRE ATT&CK for ICS 18.1, named
only where the event is that step, tried or done; that somebody was allowed to do it is for whoever reads to weigh.
"""
_MARKS = {DataClass.PUBLIC: "", DataClass.PERSONAL: " (p)", DataClass.SECRET: " (s)"}


def written() -> str:
    settings.configure(USE_I18N=False)  # the texts as they stand in the source
    placed: set[str] = set()
    parts = [HEAD, _severities()]
    for prefix, title in GROUPS:
        codes = [code for code in codes_of(prefix) if code not in placed]
        placed |= set(codes)
        parts.append(_group(str(title), codes))
    return "\n".join([*parts, _of_gateways(), _techniques(), _operations()])


def _severities() -> str:
    rows = ["| severity | number | events |", "|---|---|---|"]
    for severity in Severity:
        count = sum(meaning.severity is severity for meaning in MEANINGS.values())
        rows.append(f"| {severity.name.lower()} | {severity.value} | {count} |")
    return "\n".join(rows) + "\n"


def _group(title: str, codes: list[str]) -> str:
    rows = [f"## {title}\n", "| code | meaning | severity | outcome | ATT&CK | fields |", "|---|---|---|---|---|---|"]
    return "\n".join([*rows, *map(_row, codes)]) + "\n"


def _row(code: str) -> str:
    meaning = MEANINGS[code]
    techniques = (
        "by operation" if code in event_meaning.ON_OPERATIONS else " ".join(event_meaning.OF_CODES.get(code, ()))
    )
    cells = (f"`{code}`", EVENTS[code], meaning.severity.name.lower(), meaning.outcome, techniques, _fields(code))
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def _fields(code: str) -> str:
    return ", ".join(f"`{name}`{_MARKS[kind]}" for name, kind in CATALOGUE[code].items())


def _of_gateways() -> str:
    return (
        "## Whose word it is\n\nThese are said by a gateway, signed, and carry where they stood in its own chain "
        "(`epoch`, `gateway_seq`, `report_sha256`); all others are written by the control plane.\n\n"
        + ", ".join(f"`{code}`" for code in CATALOGUE if code in REPORTED_BY_GATEWAYS)
        + "\n"
    )


def _techniques() -> str:
    rows = ["## ATT&CK for ICS\n", "| technique | name |", "|---|---|"]
    rows += [
        f"| [{number}](https://attack.mitre.org/techniques/{number}/) | {name} |" for number, name in TECHNIQUES.items()
    ]
    return "\n".join(rows) + "\n"


def _operations() -> str:
    rows = ["Of `operation.refused` and `operation.would-refuse`, by their field `operation`:\n"]
    rows += ["| operation | techniques |", "|---|---|"]
    rows += [f"| `{name}` | {', '.join(numbers)} |" for name, numbers in event_meaning.OF_OPERATIONS.items()]
    return "\n".join(rows) + "\n"


def main(verb: str) -> int:
    if verb == "write":
        REFERENCE.write_text(written(), "utf-8")
        return 0
    if REFERENCE.read_text("utf-8") == written():
        return 0
    print(f"{REFERENCE.name} is not what the catalogue says: python scripts/events_reference.py write")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
