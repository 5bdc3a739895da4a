# SPDX-License-Identifier: Apache-2.0
"""Documents stay true: every room is named, every link leads somewhere, every setting is listed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/portineria"
DOCUMENTS = sorted(path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# What ARCHITECTURE.md and THREAT_MODEL.md quote as a place of ours.
PLACE = re.compile(r"`((?:src|tests|docs|scripts)/[\w./*-]+)`")
THIS = "tests/architecture/test_documents.py"


def broken_links(text: str, folder: Path) -> list[str]:
    targets = (target.split("#")[0] for target in LINK.findall(text) if "://" not in target)
    return [target for target in targets if target and not (folder / target).exists()]


def rooms() -> list[str]:
    """Packages of ours, and what lies in the two that hold several parts."""
    found = [path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()]
    for parent in ("control", "dataplane"):
        found += [path.name for path in (SOURCE / parent).iterdir() if (path / "__init__.py").exists()]
    return sorted(set(found) - {"settings"})


@pytest.mark.parametrize("room", rooms())
def test_the_architecture_names_every_room(room: str) -> None:
    assert re.search(rf"\b{room}\b", (ROOT / "ARCHITECTURE.md").read_text())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    assert broken_links(document.read_text(), document.parent) == []


@pytest.mark.parametrize("document", ["ARCHITECTURE.md", "THREAT_MODEL.md", "CONTRIBUTING.md"])
def test_every_place_that_is_named_exists(document: str) -> None:
    named = PLACE.findall((ROOT / document).read_text())
    assert [place for place in named if not list(ROOT.glob(place.rstrip("/")))] == []


def uneven_rows(text: str) -> list[str]:
    """Rows of a table that have not as many cells as its head."""
    uneven, cells = [], 0
    for line in text.splitlines():
        row = re.sub(r"\\\||`[^`]*`", "", line)  # a bar inside code divides nothing for who reads
        if not row.startswith("|"):
            cells = 0
        elif not cells:
            cells = row.count("|")
        elif row.count("|") != cells:
            uneven.append(line)
    return uneven


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_row_of_a_table_has_its_cells(document: Path) -> None:
    assert uneven_rows(document.read_text()) == []


def test_a_row_without_a_cell_is_found() -> None:
    assert uneven_rows("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 |\n\n| c |\n") == ["| 3 |"]


def threats() -> list[tuple[str, str]]:
    """Each row of the table: the threat, and what is named as its test."""
    rows = [line.strip("| ").split(" | ") for line in (ROOT / "THREAT_MODEL.md").read_text().splitlines()]
    return [(row[0], row[2]) for row in rows if len(row) == 3 and row[0] != "threat" and not row[0].startswith("---")]


def missing_tests(cell: str) -> list[str]:
    """What is named in ``cell`` and is neither a file with tests nor a test in it."""
    missing = []
    for named in cell.split(", "):
        path, _, name = named.strip("`").partition("::")
        file = ROOT / path
        found = file.is_file() and re.search(rf"^(async )?def {name or 'test_'}", file.read_text(), re.MULTILINE)
        if not found or not file.name.startswith("test_"):
            missing.append(named)
    return missing


@pytest.mark.parametrize(("threat", "cell"), threats())
def test_every_threat_names_a_test_that_exists(threat: str, cell: str) -> None:
    assert missing_tests(cell) == []


@pytest.mark.parametrize(
    "cell", ["same", "`tests/integration/control/`", f"`{THIS}::test_of_nothing`", "`tests/test_x.py`"]
)
def test_a_threat_without_its_test_is_found(cell: str) -> None:
    assert missing_tests(cell) == [cell]
    assert missing_tests(f"`{THIS}`, `{THIS}::test_a_threat_without_its_test_is_found`") == []
    assert len(threats()) > 20


def test_a_broken_link_is_found() -> None:
    assert broken_links("[a](nowhere.md) [b](https://example.com) [c](README.md#x)", ROOT) == ["nowhere.md"]


@pytest.mark.parametrize(
    "script",
    ["settings", "protocols", "events", "metrics", "cli", "api"],
)
def test_a_generated_reference_is_what_the_source_says(script: str) -> None:
    done = subprocess.run(
        [sys.executable, f"scripts/{script}_reference.py", "check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_ask_for_figures_that_exist() -> None:
    text = (ROOT / "docs/howto/prometheus-alerts.yml").read_text()
    asked = set(re.findall(r"\bportineria_\w+", text))
    known = set(re.findall(r"`(portineria_\w+)`", (ROOT / "docs/reference/metrics.md").read_text()))
    assert len(asked) > 5
    assert asked <= known
