# SPDX-License-Identifier: Apache-2.0
"""What no test noticed, as a page: where, what was changed, and why that is no gap."""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

REASONS = Path(__file__).parent / "reasons.toml"
_NAME = re.compile(r"# (?P<module>[\w.]+)\.x(?:ǁ(?P<of>\w+)ǁ|_)(?P<function>\w+)__mutmut_\d+: (?P<outcome>.+)")
_HEAD = """# What no test notices in policy

Written by `make deep DEEP=mutation`: [mutmut](https://mutmut.readthedocs.io/) changes one thing at a time in every
function of `src/portineria/policy` and runs the tests in `tests/unit/policy` that reach it. A change that makes a test
fail, or makes it run without end, was noticed. The reasons are written by hand, in `tests/mutation/reasons.toml`; one
that is missing makes the run fail. mutmut changes nothing outside functions and in properties: what stands there
(tables of reasons, built-in profiles) is written out once more in the tests.
"""


@dataclass(frozen=True, slots=True)
class Mutant:
    file: str  # in the repository
    line: int  # the first that differs
    function: str
    outcome: str
    was: str
    now: str


def mutant_of(shown: str, tree: Path) -> Mutant:
    """``shown``: what `mutmut show` prints, a heading and a unified diff of one function."""
    heading, *diff = shown.strip().splitlines()
    found = _NAME.fullmatch(heading)
    assert found is not None, heading
    file = f"src/{found['module'].replace('.', '/')}.py"
    changes = [line for line in diff if not line.startswith(("---", "+++"))]
    was = " ".join(line[1:].strip() for line in changes if line.startswith("-"))
    now = " ".join(line[1:].strip() for line in changes if line.startswith("+"))
    function = ".".join(part for part in (found["of"], found["function"]) if part)
    lines = (tree / file).read_text("utf-8").splitlines()
    begins = next(number for number, line in enumerate(lines) if re.match(rf" *def {found['function']}\(", line))
    first = next((line[1:].strip() for line in changes if line.startswith("-")), "")
    line = next((number for number in range(begins, len(lines)) if lines[number].strip() == first), begins)
    return Mutant(file, line + 1, function, found["outcome"], was, now)


def reasons() -> dict[tuple[str, str, str, str], str]:
    """By file, function, line before and after the change: numbers of mutants and lines change with the code."""
    entries = tomllib.loads(REASONS.read_text("utf-8")).get("mutant", [])
    return {
        (f"src/portineria/policy/{entry['file']}", entry["function"], entry["was"], now): entry["why"]
        for entry in entries
        for now in entry["now"]
    }


def _key(mutant: Mutant) -> tuple[str, str, str, str]:
    return mutant.file, mutant.function, mutant.was, mutant.now


def without_reason(left: Iterable[Mutant], known: dict[tuple[str, str, str, str], str]) -> list[Mutant]:
    return [mutant for mutant in left if _key(mutant) not in known]


def page(outcomes: dict[str, str], left: list[Mutant], known: dict[tuple[str, str, str, str], str], commit: str) -> str:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, outcome in outcomes.items():
        counts[name.rpartition(".")[0].rpartition(".")[2]][outcome] += 1
    noticed = sum(count["killed"] + count["timeout"] for count in counts.values())
    parts = [
        _HEAD,
        f"{datetime.now(UTC).date().isoformat()}, commit {commit}: {noticed} of {len(outcomes)} changes were noticed, "
        f"{100 * noticed / len(outcomes):.1f} %.\n",
        "| file | changes | a test failed | ran without end | not noticed |\n|---|---|---|---|---|",
        *(
            f"| `{name}.py` | {count.total()} | {count['killed']} | {count['timeout']} "
            f"| {count.total() - count['killed'] - count['timeout']} |"
            for name, count in sorted(counts.items())
        ),
        "\n## Not noticed, and why\n",
    ]
    for (file, function), mutants in _by_place(left).items():
        parts.append(f"### `{function}` in `{Path(file).name}`\n")
        for mutant in mutants:
            outcome = "" if mutant.outcome == "survived" else f" ({mutant.outcome})"
            why = known.get(_key(mutant), "No reason was written yet.")
            parts.append(f"Line {mutant.line}{outcome}:\n\n```diff\n- {mutant.was}\n+ {mutant.now}\n```\n\n{why}\n")
    return "\n".join(parts).rstrip() + "\n"


def _by_place(left: list[Mutant]) -> dict[tuple[str, str], list[Mutant]]:
    places: defaultdict[tuple[str, str], list[Mutant]] = defaultdict(list)
    for mutant in sorted(left, key=lambda one: (one.file, one.line)):
        places[mutant.file, mutant.function].append(mutant)
    return places
