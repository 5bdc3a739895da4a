# SPDX-License-Identifier: Apache-2.0
"""The tree must make sense to whoever clones it: no paths, tools or habits of the place where it is written."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each word carries a "~" that is taken out, so that this file does not contain what it looks for.
WORDS = {
    "absolute paths": [r"(?<![\w.])/(?:wo~rk|fa~rm|ho~me/\w+|Us~ers/\w+)/(?:\w|\.)"],
    "its tools": [r"before-~stop", r"fa~rm-(?:studio|bench)", r"\.lib~rary/", r"\bbri~ef/common\b"],
    "who wrote it": [
        r"\b(?:writ~ten|gener~ated|assis~ted|author~ed) (?:by|with) (?:an )?(?:A~I|LL~M)\b",
        r"co-author~ed-by",
        r"\b(?:Cla~ude|Chat~GPT|Co~pilot|Anthro~pic)\b",
        r"as an? (?:AI|language) mo~del",
    ],
    "package registries": [r"registry\.npm~js", r"(?:files\.pythonhos~ted|py~pi)\.org"],
}
PATTERNS = {label: re.compile("|".join(words).replace("~", ""), re.IGNORECASE) for label, words in WORDS.items()}
DRAWN = {".png", ".ico", ".woff2", ".gz", ".mo", ".pcap", ".bin"}


def tracked_files() -> list[Path]:
    """What git has or would take; a folder without git (an unpacked sdist) is read whole."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        return [p for p in ROOT.rglob("*") if p.is_file() and not {".venv", "vendor"} & set(p.parts)]
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def found_in(text: str) -> list[str]:
    return [
        f"{number}: {label}: {line.strip()[:120]}"
        for number, line in enumerate(text.splitlines(), 1)
        for label, pattern in PATTERNS.items()
        if pattern.search(line)
    ]


def test_nothing_names_the_place_where_it_is_written() -> None:
    files = [path for path in tracked_files() if path.suffix not in DRAWN]
    assert files
    offenders = [f"{p.relative_to(ROOT)}:{hit}" for p in files for hit in found_in(p.read_text("utf-8"))]
    assert not offenders, "\n".join(offenders)


@pytest.mark.parametrize(
    "line",
    [
        "cd /wo~rk/main",
        "see /ho~me/somebody/notes",
        "Co-Author~ed-By: x",
        "Gener~ated with an LL~M",
        "https://registry.npm~js.org/x",
    ],
)
def test_such_a_line_is_found(line: str) -> None:
    assert found_in("first\n" + line.replace("~", "") + "\n")
    assert found_in("a network of plants, /var/lib/portineria, it works/ok") == []
