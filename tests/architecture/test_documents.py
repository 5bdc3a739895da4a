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
PLACE = re.compile(r"`((?:src|tests|docs|scripts|packaging)/[\w./*-]+)`")


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


def test_a_broken_link_is_found() -> None:
    assert broken_links("[a](nowhere.md) [b](https://example.com) [c](README.md#x)", ROOT) == ["nowhere.md"]


def test_the_reference_of_settings_is_what_the_settings_say() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/settings_reference.py", "check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
