# SPDX-License-Identifier: Apache-2.0
"""Figures as ``docs/performance.json`` and, generated from it, ``docs/performance.md`` with a chart per group."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
COMMAND = "make bench"


@dataclass(frozen=True)
class Target:
    """What TARGETS asks: a bound on the ratio to the peer, or on the value itself."""

    what: str
    bound: float
    of: str  # "ratio" or "value"
    at_least: bool

    def met(self, value: float, ratio: float | None) -> bool | None:
        measured = ratio if self.of == "ratio" else value
        if measured is None:
            return None
        return measured >= self.bound if self.at_least else measured <= self.bound

    @property
    def text(self) -> str:
        return f"{self.of} {'≥' if self.at_least else '≤'} {self.bound:g}"


TARGETS = {
    "tunnel.throughput.1": Target("one stream through relay and gateway, against OpenSSH", 1.5, "ratio", True),
    "tunnel.throughput.1.stunnel": Target("the same, against a chain of stunnels", 1.3, "ratio", True),
    "tunnel.throughput.8": Target("eight streams together, against one of ours", 0.9, "ratio", True),
    "relay.cpu_per_gb": Target("CPU of the relay, against OpenSSH's two sshd", 0.17, "ratio", False),
    "tunnel.echo.p50": Target("12 bytes there and back, median", 0.8, "ratio", False),
    "tunnel.echo.p99": Target("12 bytes there and back, 99th percentile", 1.0, "ratio", False),
    "tunnel.open.first": Target("approved session to first byte of the device, p95", 100, "value", False),
    "tunnel.open.next": Target("each further connection with a ready leg, p95", 10, "value", False),
    "tunnel.cut": Target("click on cut to the device's connection closed, p99", 200, "value", False),
}


@dataclass(frozen=True)
class Figure:
    value: float
    unit: str
    peer: str | None
    ratio: float | None
    rounds: int
    command: str
    date: str


def figure(values: Sequence[float], unit: str, peer: tuple[str, Sequence[float]] | None = None) -> Figure:
    """Medians of the rounds; the ratio is the median of the rounds' own ratios, so a slow moment hits both sides."""
    ratio = statistics.median(ours / theirs for ours, theirs in zip(values, peer[1], strict=True)) if peer else None
    return Figure(
        round(statistics.median(values), 4), unit, peer[0] if peer else None, round(ratio, 3) if ratio else None,
        len(values), COMMAND, datetime.now(UTC).strftime("%Y-%m-%d"),
    )  # fmt: skip


def write(figures: dict[str, Figure], peers: dict[str, dict[str, float]], reasons: dict[str, str]) -> None:
    path = DOCS / "performance.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known |= {name: asdict(found) for name, found in figures.items()}
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    (DOCS / "performance.md").write_text("\n".join(_page(figures, peers, reasons)) + "\n")


def _page(figures: dict[str, Figure], peers: dict[str, dict[str, float]], reasons: dict[str, str]) -> list[str]:
    lines = [
        "# Performance", "",
        f"Written by `{COMMAND}`. Every figure is measured beside its peer in the same run, turn by turn;",
        "the median of the rounds is shown.",
        "Absolute values depend on the machine and on what else it does; ratios hold better.", "",
        f"Machine: {_machine()}.", "",
        "| id | what | value | peer | ratio | target | |", "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, found in figures.items():
        target = TARGETS[name]
        met = target.met(found.value, found.ratio)
        ratio = "–" if found.ratio is None else f"{found.ratio:.2f}"
        mark = "met" if met else "**missed**"
        measured = f"{found.value:g} {found.unit} | {found.peer or '–'} | {ratio}"
        lines.append(f"| `{name}` | {target.what} | {measured} | {target.text} | {mark} |")
    for title, bars in peers.items():
        names = ", ".join(f'"{name}"' for name in bars)
        values = ", ".join(f"{value:.3g}" for value in bars.values())
        lines += [
            "",
            "```mermaid",
            "xychart-beta",
            f'  title "{title}"',
            f"  x-axis [{names}]",
            f"  bar [{values}]",
            "```",
        ]
    missed = [name for name, found in figures.items() if TARGETS[name].met(found.value, found.ratio) is False]
    if missed:
        lines += ["", "## Missed, and why", ""]
        lines += [f"- `{name}`: {reasons.get(name, 'not explained yet')}" for name in missed]
    return lines


def _machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} × {model}, {platform.system()} {platform.release()}, Python {platform.python_version()}"
