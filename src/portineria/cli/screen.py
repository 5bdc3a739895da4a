# SPDX-License-Identifier: Apache-2.0
"""Printing: answers on standard output, news and errors on standard error."""

import argparse
import contextlib
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NoReturn
from unicodedata import east_asian_width

import msgspec

from portineria.core.errors import PortineriaError
from portineria.dataplane.connector.text import text_of


def news(code: str, **values: object) -> None:
    """One line about what happens meanwhile; ``service`` says whom it concerns."""
    text = text_of(code, **values) or f"It was refused: {code}."
    about = f"{values['service']}: " if "service" in values else ""
    with contextlib.suppress(OSError):  # the terminal is gone, or whoever read it: the work goes on
        print(f"{about}{printable(text)}", file=sys.stderr, flush=True)


def failure(error: PortineriaError) -> str:
    """What a person reads; the operators' words where there is no text of ours."""
    text = text_of(error.code, why=str(error))
    return printable(text or str(error) or error.code)


def fault(said: str) -> str:
    """The same of a fault that another process left as ``code: words``; anything else as it is."""
    code, _, words = said.partition(": ")
    return printable(text_of(code, why=words) or said)


def list_choices(parser: argparse.ArgumentParser, _args: argparse.Namespace) -> NoReturn:
    """For a command line that stops before a verb: all of them, and the exit status of a wrong usage."""
    parser.exit(2, parser.format_help())


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns aligned, also where characters are two cells wide."""
    lines = [list(heads), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(_cells(line[column]) for line in lines) for column in range(len(heads))]
    padded = (
        "  ".join(c + " " * (w - _cells(c)) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )
    return "\n".join(padded)


def as_json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def when(text: str | None) -> str:
    """A time of the API, on this computer's clock; empty for none."""
    if not text:
        return ""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")


def _cells(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def printable(text: str) -> str:
    """Names come from other people: no control characters reach the terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
