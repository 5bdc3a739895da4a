# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/metrics.md from the figures of the processes: `write`, or `check` that it is up to date."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from portineria.control.settings.server import load
from portineria.control.settings.start import use
from portineria.dataplane.gateway.figures import FIGURES as OF_GATEWAY
from portineria.dataplane.relay.figures import FIGURES as OF_RELAY
from portineria.process.figures import COMMON, Figure

REFERENCE = Path(__file__).resolve().parent.parent / "docs/reference/metrics.md"
HEAD = """# Metrics

Written by `scripts/metrics_reference.py write` from the source; a test holds it against what processes say.
How to collect them, and what to be woken for: [watching](../howto/watching.md).

Labels have values of the source: no name, address or id of a person, machine, plant, gateway or session is in
any of them. What grows from the start of a process ends in `_total`. Each process also tells the `process_…` and
`python_info` figures that Prometheus' own library knows: memory, processor time, descriptors, start.
"""


def groups() -> list[tuple[str, tuple[Figure, ...]]]:
    with tempfile.TemporaryDirectory() as folder:
        use(load(Path(folder)))  # its figures need Django to have started
        from portineria.control.figures import OF_HOUSE, OF_PROCESS
    return [
        ("Every process", COMMON),
        ("`serve`, `web` and `worker`, each of itself", OF_PROCESS),
        ("`serve` and `worker`, of the whole house: the same from each of several", OF_HOUSE),
        ("Relay", OF_RELAY),
        ("Gateway", OF_GATEWAY),
    ]


def written() -> str:
    return "\n".join([HEAD, *(_group(title, figures) for title, figures in groups())])


def _group(title: str, figures: tuple[Figure, ...]) -> str:
    rows = [f"## {title}\n", "| name | kind | labels | |", "|---|---|---|---|"]
    for figure in figures:
        labels = " ".join(f"`{label}`" for label in figure.labels)
        rows.append(f"| `{figure.name}` | {figure.kind} | {labels} | {figure.help} |")
    return "\n".join(rows) + "\n"


def main(verb: str) -> int:
    if verb == "write":
        REFERENCE.write_text(written())
        return 0
    if REFERENCE.read_text() == written():
        return 0
    print(f"{REFERENCE.name} is not what the source says: python scripts/metrics_reference.py write")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
