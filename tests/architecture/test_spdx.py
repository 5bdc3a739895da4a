# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINE = "SPDX-License-Identifier: Apache-2.0"
KINDS = {".py", ".js", ".css", ".sh", ".toml", ".po", ".service"}


def sources() -> list[Path]:
    own = [
        path for folder in ("src", "tests", "scripts") for path in (ROOT / folder).rglob("*") if path.suffix in KINDS
    ]
    return [*(path for path in own if "vendor" not in path.parts), ROOT / "hatch_build.py", ROOT / "pyproject.toml"]


def carries_licence(text: str) -> bool:
    """On the first line, or on the second after a ``#!`` line."""
    lines = text.splitlines()[:2]
    place = 1 if lines and lines[0].startswith("#!") else 0
    return len(lines) > place and LINE in lines[place]


def test_every_source_file_begins_with_its_licence() -> None:
    without = [str(path.relative_to(ROOT)) for path in sources() if not carries_licence(path.read_text("utf-8"))]
    assert without == []


def test_a_file_without_it_is_found() -> None:
    assert not carries_licence("import os\n")
    assert not carries_licence(f"import os\n# {LINE}\n")
    assert carries_licence(f"#!/bin/sh\n# {LINE}\n")
