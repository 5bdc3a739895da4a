# SPDX-License-Identifier: Apache-2.0
"""Figures as ``docs/performance.json`` and, generated from it, ``docs/performance.md`` with charts for each group.

A run replaces the rows that it measured; the others keep their date and command, and the page is made from all of them.
"""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.targets import GROUPS, TARGETS, why

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Figure:
    value: float
    unit: str
    peer: str | None
    ratio: float | None
    rounds: int
    command: str
    date: str


@dataclass
class Found:
    """What one group measured."""

    figures: dict[str, Figure]
    charts: dict[str, dict[str, float]] = field(default_factory=dict)
    raw: dict[str, object] = field(default_factory=dict)  # everything, for docs/deep.json


def figure(values: Sequence[float], unit: str, peer: tuple[str, Sequence[float]] | None = None) -> Figure:
    """Medians of the rounds; the ratio is the median of the rounds' own ratios, so a slow moment hits both sides."""
    ratio = statistics.median(ours / theirs for ours, theirs in zip(values, peer[1], strict=True)) if peer else None
    return Figure(
        round(statistics.median(values), 4), unit, peer[0] if peer else None, round(ratio, 3) if ratio else None,
        len(values), "", datetime.now(UTC).strftime("%Y-%m-%d"),
    )  # fmt: skip


def percentile(times: Sequence[float], percent: int) -> float:
    """Of sorted values: the smallest that at least ``percent`` of them do not exceed."""
    return times[min(len(times) - 1, -(-len(times) * percent // 100) - 1)]


def write(group: str, found: Found, command: str) -> None:
    """Into performance.json the rows, into performance-charts.json what the page shows beside them."""
    path, beside = DOCS / "performance.json", DOCS / "performance-charts.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    shown = json.loads(beside.read_text()) if beside.exists() else {"charts": {}, "machines": {}}
    known |= {name: {**asdict(row), "command": command} for name, row in found.figures.items()}
    shown["machines"] |= {name: _machine() for name in found.figures}
    shown["charts"] |= {title: {"group": group, "bars": bars} for title, bars in found.charts.items()}
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    beside.write_text(json.dumps(shown, indent=1) + "\n")
    write_page()


def write_page() -> None:
    """From what the two files hold."""
    known = json.loads((DOCS / "performance.json").read_text())
    shown = json.loads((DOCS / "performance-charts.json").read_text())
    rows = {name: Figure(**row) for name, row in known.items()}
    (DOCS / "performance.md").write_text("\n".join(_page(rows, shown["charts"], shown["machines"])) + "\n")


def _page(rows: dict[str, Figure], charts: dict[str, dict[str, Any]], machines: dict[str, str]) -> list[str]:
    names = sorted(set(machines.values()))
    lines = [
        "# Performance", "",
        "Written by `make bench`; the long ones by `make deep`. What has a peer is measured beside it in one run,",
        "turn by turn; the median of the rounds is shown. Absolute values depend on the machine and on what else it",
        "does; ratios hold better. Every row says when, by what and on which machine it was measured.", "",
        *(f"- Machine {number}: {name}" for number, name in enumerate(names, 1)), "",
        *_standing(rows),
    ]  # fmt: skip
    for group, about in GROUPS.items():
        inside = [name for name, target in TARGETS.items() if target.group == group and name in rows]
        if inside:
            lines += ["", f"## {about}", ""]
            lines += ["| id | what | value | peer | ratio | target | | measured |", "|---|---|---|---|---|---|---|---|"]
            lines += [_row(name, rows[name], names.index(machines[name]) + 1) for name in inside]
        for title, chart in charts.items():
            if chart["group"] == group:
                lines += _chart(title, chart["bars"])
    missed = [name for name in TARGETS if name in rows and _met(name, rows[name]) is False]
    if missed:
        lines += ["", "## Missed, and why", ""]
        lines += [f"- `{name}`: {why(name)}" for name in missed]
    return lines


def _met(name: str, row: Figure) -> bool | None:
    return TARGETS[name].met(row.value, row.ratio)


def _standing(rows: dict[str, Figure]) -> list[str]:
    """At once: where we lead, and where not."""
    lead, behind = list[str](), list[str]()
    for name, target in TARGETS.items():
        row = rows.get(name)
        if row is None or row.ratio is None or row.peer in (None, "one stream"):
            continue
        better = row.ratio > 1 if target.at_least else row.ratio < 1
        words = f"{target.what}: {row.ratio:.2f} of {row.peer} (`{name}`)"
        (lead if better else behind).append(words)
    judged = [met for name in TARGETS if name in rows and (met := _met(name, rows[name])) is not None]
    lines = [f"**{sum(judged)} of {len(judged)} targets are met.**", "", "Where we lead:", ""]
    lines += [f"- {words}" for words in lead] + ["", "Where we do not:", ""]
    lines += [f"- {words}" for words in behind]
    lines += [f"- target missed: `{name}`" for name in TARGETS if name in rows and _met(name, rows[name]) is False]
    return lines


def _row(name: str, row: Figure, machine: int) -> str:
    target = TARGETS[name]
    met = {True: "met", False: "**missed**", None: "–"}[_met(name, row)]
    ratio = "–" if row.ratio is None else f"{row.ratio:.2f}"
    measured = f"{row.value:g} {row.unit} | {row.peer or '–'} | {ratio}"
    origin = f"{row.date}, `{row.command}`, machine {machine}"
    return f"| `{name}` | {target.what} | {measured} | {target.text} | {met} | {origin} |"


def _chart(title: str, bars: dict[str, float]) -> list[str]:
    names = ", ".join(f'"{name}"' for name in bars)
    values = ", ".join(f"{value:.3g}" for value in bars.values())
    return ["", "```mermaid", "xychart-beta", f'  title "{title}"', f"  x-axis [{names}]", f"  bar [{values}]", "```"]


def _machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30))
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} × {model}, {memory} GiB, {system}"
