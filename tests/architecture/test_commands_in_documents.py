# SPDX-License-Identifier: Apache-2.0
"""Every command that a document tells somebody to type exists, with every option; the rest of it is run elsewhere."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from portineria.cli.main import parser

ROOT = Path(__file__).resolve().parents[2]
MADE_OF_IT = ROOT / "docs/reference/cli.md"  # from the same parser, as a form
PAGES = sorted({ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")} - {MADE_OF_IT})
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
EXTRA = re.compile(r"portineria\[([\w,]+)\]")
SCRIPT = re.compile(r"\bscripts/[\w.-]+")
# As it stands for what somebody has to write there: it has the form of it, so that the parser takes it.
STANDS_FOR = {"…": "x", "N": "1", "NUMBER": "1", "SECONDS": "1", "MINUTES": "1"}


def commands(text: str) -> Iterator[list[str]]:
    """Words behind each `portineria` at the beginning of a command in a code block that is no program's language."""
    for _, language, block in FENCE.findall(text):
        if language in ("", "sh", "console"):
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"\s(?:\||&&|;)\s|(?<=\s)&$|\$\(|; then", line):
                    words = re.sub(r"^\s*(?:if |sudo (?:-u \w+ )?|/opt/portineria/bin/)*", "", part)
                    if words.startswith("portineria "):
                        yield split(words)[1:]


def split(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=">")
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((place for place, word in enumerate(words) if set(word) == {">"}), len(words))
    return [STANDS_FOR.get(word, word) for word in words[:end]]


@cache
def command_line() -> argparse.ArgumentParser:
    """Made once: each time would take longer than all else here."""
    return parser()


def fault(words: list[str]) -> str:
    """Why the command line would not take it; empty when it would."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            command_line().parse_args(words)
    except SystemExit as end:
        return said.getvalue().strip().splitlines()[-1] if end.code else ""
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_tells_to_type_exists(page: Path) -> None:
    text = page.read_text()
    assert [(words, why) for words in commands(text) if (why := fault(words))] == []
    extras = {name for found in EXTRA.findall(text) for name in found.split(",")}
    assert extras <= set(re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    assert [name for name in SCRIPT.findall(text) if not (ROOT / name.rstrip(".")).exists()] == []
    verbs = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^\s*)make ([a-z][a-z-]*)", text, re.MULTILINE)) <= verbs


def test_a_command_that_does_not_exist_is_found() -> None:
    page = "```\nsudo portineria gateway enroll URL CODE | tee x\n```\n```sh\nportineria serve --nowhere x &\n```\n"
    first, second = (fault(words) for words in commands(page))
    assert "invalid choice: 'enroll'" in first
    assert "--nowhere" in second
    assert [
        fault(words) for words in commands("```\nportineria machines   # yours\nportineria version > x\n```\n")
    ] == ["", ""]
    assert sum(len(list(commands(each.read_text()))) for each in PAGES) > 40
