# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src/portineria"
EXCEPTIONS = tomllib.loads(Path(__file__).with_name("size_exceptions.toml").read_text("utf-8"))

FUNCTION_LINES = 40
CLASS_LINES = 200
FILE_LINES = 400


def definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int, int]]:
    """Qualified name, length and limit of everything defined in ``tree``, at any depth."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = prefix + node.name
            limit = CLASS_LINES if isinstance(node, ast.ClassDef) else FUNCTION_LINES
            yield name, (node.end_lineno or node.lineno) - node.lineno + 1, limit
            yield from definitions(node, f"{name}.")
        else:
            yield from definitions(node, prefix)


def too_long(path: str, text: str) -> dict[str, str]:
    """Place -> what is wrong with it."""
    found: dict[str, str] = {}
    if (lines := len(text.splitlines())) > FILE_LINES:
        found[path] = f"{lines} lines, at most {FILE_LINES}"
    for name, length, limit in definitions(ast.parse(text)):
        if length > limit:
            found[f"{path}:{name}"] = f"{length} lines, at most {limit}"
    return found


def all_too_long() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        if "migrations" not in path.parts:  # written by Django, read once
            found |= too_long(path.relative_to(SOURCE).as_posix(), path.read_text("utf-8"))
    return found


def test_functions_classes_and_files_stay_short() -> None:
    offenders = {place: fault for place, fault in all_too_long().items() if place not in EXCEPTIONS}
    assert not offenders, "\n".join(f"{place}: {fault}" for place, fault in offenders.items())


def test_every_exception_is_still_needed_and_says_why() -> None:
    assert all(isinstance(reason, str) and reason for reason in EXCEPTIONS.values())
    assert set(EXCEPTIONS) <= set(all_too_long())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("def f():\n" + "    x = 1\n" * 40, "a.py:f"),
        ("class C:\n    async def f(self):\n" + "        x = 1\n" * 40, "a.py:C.f"),
        ("class C:\n" + "    x = 1\n" * 200, "a.py:C"),
        ("x = 1\n" * 401, "a.py"),
    ],
)
def test_one_line_too_many_is_found(text: str, place: str) -> None:
    assert list(too_long("a.py", text)) == [place]
    assert too_long("a.py", "\n".join(text.splitlines()[:-1])) == {}
