# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/cli.md from the command line itself: `write`, or `check` that it is up to date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from portineria.cli.main import GROUPS, parser

REFERENCE = Path(__file__).resolve().parent.parent / "docs/reference/cli.md"
HEAD = """# Command line

Written by `scripts/cli_reference.py write` from the command line itself; a test holds it against that.
Exit status: 0 done, 1 refused or not found, 2 usage, 3 unavailable, 128 and the number of the signal that ended it.
Every verb takes `--verbose` (the operators' log on standard error) and `--help`.
"""


def written() -> str:
    verbs = _children(parser())
    parts = [HEAD]
    for who, modules in GROUPS.items():
        parts.append(f"## {who}\n")
        for name in modules:
            parts += _verb(f"portineria {name}", verbs[name])
    return "\n".join(parts)


def _children(one: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _summaries(one: argparse.ArgumentParser) -> dict[str, str]:
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {choice.dest: choice.help or "" for choice in action._choices_actions}
    return {}


def _verb(called: str, one: argparse.ArgumentParser, summary: str = "") -> Iterator[str]:
    depth = "#" * min(called.count(" ") + 2, 5)
    said = " ".join((one.description or summary).split())
    yield f"{depth} {called}\n"
    if said:
        yield f"{said[0].upper()}{said[1:].rstrip('.')}.\n"
    children, rows = _children(one), list(_rows(one))
    if not children:
        yield f"```\n{' '.join([called, *_words(one)])}\n```\n"
    if rows:
        yield "\n".join(["| | |", "|---|---|", *rows]) + "\n"
    for name, child in children.items():
        yield from _verb(f"{called} {name}", child, _summaries(one).get(name, ""))


def _own(one: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in one._actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction) or action.dest == "verbose":
            continue
        if action.help != argparse.SUPPRESS:
            yield action


def _rows(one: argparse.ArgumentParser) -> Iterator[str]:
    for action in _own(one):
        said = " ".join((action.help or "").split()).replace("%%", "%").replace("|", "\\|")
        needed = " Needed." if action.option_strings and action.required else ""
        yield f"| `{_named(action)}` | {said}{'.' if needed else ''}{needed} |"


def _words(one: argparse.ArgumentParser) -> Iterator[str]:
    for action in _own(one):
        word = _named(action) if not action.option_strings else f"{action.option_strings[-1]}{_value(action)}"
        optional = not action.required if action.option_strings else action.nargs in ("?", "*")
        more = " …" if action.nargs in ("*", "+") and not action.option_strings else ""
        yield f"[{word}{more}]" if optional else f"{word}{more}"


def _named(action: argparse.Action) -> str:
    if action.option_strings:
        return ", ".join(action.option_strings) + _value(action)
    return _metavar(action)


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    return f" {_metavar(action)}" + (" …" if action.nargs in ("*", "+") else "")


def _metavar(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "{" + ",".join(str(choice) for choice in action.choices) + "}"
    return action.dest.upper() if action.option_strings else action.dest


def main(verb: str) -> int:
    if verb == "write":
        REFERENCE.write_text(written())
        return 0
    if REFERENCE.read_text() == written():
        return 0
    print(f"{REFERENCE.name} is not what the command line says: python scripts/cli_reference.py write")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
