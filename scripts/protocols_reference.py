# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/protocols.md: `write`, `check` that it is up to date, `measure` the captures anew.

It is made of what each protocol of the catalogue says of itself and of its figures, tests/corpus/figures/<name>.json.
`measure` needs PORTINERIA_CORPUS and tshark, and writes the figures with what tests/unit/protocols/<name>/figures.py
has: CAPTURES (capture -> why not all of it agrees), `measure(path)`, and PROOFS (what is proven -> by which test);
with tests/unit/protocols/golden.py what Zeek logged of the same captures; recognition.json with
tests/unit/protocols/recognition_figures.py.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from portineria.protocols.catalogue import ALL
from portineria.protocols.inspection import ProtocolInfo
from portineria.protocols.recognition import BEGINNING, TITLES, UNKNOWN, title

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs/reference/protocols.md"
FIGURES = ROOT / "tests/corpus/figures"
HEAD = """# Protocols

Written by `scripts/protocols_reference.py write` from the decoders themselves and from measured figures; a test holds
it against both. *Agreed*: PDUs of real captures that we read as the same function, in the same direction, as tshark
does; where it is not all of them, the reason is given, and the rest is refused, never passed. *Zeek*: functions in
the golden logs of ICSNPP's analysers, and how many of them we read as the same.

Ten thousand operations follow refusals on one connection; of Modbus/TCP and OPC UA a part of them in every change, all
in `make deep` ([deep.json](../deep.json), *refusals*). Any bytes at all, for hours: *decoders* there, and how it is
done in [decision 0117](../decisions/0117-decoders-are-fuzzed-between-two-others.md).

"""
COLUMNS = (
    "protocol", "captures", "PDUs", "agreed", "Zeek", "refusal seen by a real client", "10,000 operations after it",
    "harmless stays harmless at a real server",
)  # fmt: skip


def written() -> str:
    rows = [_row(info, _figures(info.name)) for info in ALL]
    protocols = "".join(_protocol(info, _figures(info.name)) for info in ALL)
    head = f"{HEAD}| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"
    return head + "\n".join(rows) + "\n" + protocols + _recognised(_figures("recognition"))


def _figures(name: str) -> dict[str, Any]:
    file = FIGURES / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else {"captures": {}, "proofs": {}}


def _row(info: ProtocolInfo, figures: dict[str, Any]) -> str:
    pdus, agreed = (sum(each[what] for each in figures["captures"].values()) for what in ("pdus", "agreed"))
    proofs = [_proof(figures["proofs"].get(what, "")) for what in ("refusal", "endurance", "differential")]
    zeek = figures.get("zeek")
    logged = f"{zeek['agreed']:,} of {zeek['functions']:,}" if zeek else "no log"
    counted = f"{len(figures['captures'])} | {pdus:,} | {agreed:,} | {logged}"
    return f"| {info.title} | {counted} | {' | '.join(proofs)} |"


def _proof(place: str) -> str:
    file, _, name = place.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../../{file})" if place else "not yet"


def _protocol(info: ProtocolInfo, figures: dict[str, Any]) -> str:
    ports = ", ".join(map(str, info.ports))
    about = (importlib.import_module(f"portineria.protocols.{info.name}").__doc__ or "").strip()
    text = f"\n## {info.title}\n\n{about}\n\nUsually port {ports}; known by its first bytes on any other.\n"
    text += "\n| code | function | kind | clause |\n|---|---|---|---|\n"
    text += "".join(f"| {each.code} | `{each.name}` | {each.kind} | {each.clause} |\n" for each in info.functions)
    if figures["captures"]:
        text += "\n| capture | PDUs | agreed | |\n|---|---|---|---|\n"
    for capture, each in figures["captures"].items():
        name = capture.rpartition("/")[2]
        text += f"| {name} | {each['pdus']:,} | {each['agreed']:,} | {each['why']} |\n"
    return text


RECOGNISED = """
## Recognised by its first bytes

Of what passes unread, the gateway says at the end of each connection what its first {beginning} bytes in both
directions were, whatever its port; the session page shows it beside what the service is called (decision 0041). These
are the connections of all captures whose beginning is in them; what they are say tshark, nDPI and Zeek. *Wrong*: taken
for another family. The rest stayed unknown.

| family | connections | recognised | wrong |
|---|---|---|---|
"""


def _recognised(figures: dict[str, Any]) -> str:
    families = figures["families"]
    rows = [
        f"| {title(name)} | {each['connections']} | {each['recognised']} | {each['wrong']} |\n"
        for name, each in sorted(families.items(), key=lambda item: title(item[0]).casefold())
    ]
    rest = ", ".join(title(name) for name in TITLES if name not in families and name != UNKNOWN)
    return RECOGNISED.format(beginning=BEGINNING) + "".join(rows) + f"\nNot in the captures from their start: {rest}.\n"


def measured(name: str, corpus: Path) -> dict[str, Any]:
    """The figures of one protocol, from the captures."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    theirs = importlib.import_module(f"tests.unit.protocols.{name}.figures")
    captures = {file: {**theirs.measure(corpus / file), "why": why} for file, why in theirs.CAPTURES.items()}
    golden = importlib.import_module("tests.unit.protocols.golden")
    return {"captures": captures, "proofs": theirs.PROOFS, "zeek": golden.measure(name, corpus)}


def measure(corpus: str | None) -> int:
    if not corpus:
        print("PORTINERIA_CORPUS does not say where the captures are")
        return 1
    FIGURES.mkdir(exist_ok=True)
    for info in ALL:
        text = json.dumps(measured(info.name, Path(corpus)), indent=2, sort_keys=True)
        (FIGURES / f"{info.name}.json").write_text(text + "\n")
    theirs = importlib.import_module("tests.unit.protocols.recognition_figures")
    text = json.dumps(theirs.measure(Path(corpus)), indent=2, sort_keys=True)
    (FIGURES / "recognition.json").write_text(text + "\n")
    return 0


def main(verb: str) -> int:
    if verb == "measure":
        return measure(os.environ.get("PORTINERIA_CORPUS"))
    if verb == "write":
        REFERENCE.write_text(written())
        return 0
    if REFERENCE.read_text() == written():
        return 0
    print(f"{REFERENCE.name} is not what the decoders say: python scripts/protocols_reference.py write")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
