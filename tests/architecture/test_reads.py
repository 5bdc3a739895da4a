# SPDX-License-Identifier: Apache-2.0
"""Tenancy is explicit: what people and programs are shown comes from a query that begins with who asks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

CONTROL = Path(__file__).resolve().parents[2] / "src/portineria/control"
# How a read begins with who asks: ``visible_to``, or what only that person's memberships, rows or organisations give.
SIGHTS = {"visible_to", "staff_of", "member_of", "supplier_ids", "event_organisations"}
ACTORS = {"actor", "reader", "person"}
# Reads of the system itself, for policy, the switchboard and the ledger; nothing that faces people may use them.
# Of the REST API all but what it keeps of its own: answers, by who got them.
REST = [path for path in CONTROL.glob("rest/*.py") if path.name not in ("models.py", "once.py")]
FACING_PEOPLE = sorted(
    {*CONTROL.glob("console/views/*.py"), *CONTROL.glob("*/api.py"), *CONTROL.glob("*/views.py"), *REST}
)
QUERIES = sorted([*CONTROL.glob("*/queries.py"), CONTROL / "console/event_queries.py"])


def uses_tables(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr == "objects" for part in ast.walk(node))


def begins_with_who_asks(function: ast.FunctionDef) -> bool:
    """Uses a sight, filters by the actor's own row, or goes through another read of the actor's."""
    for part in ast.walk(function):
        if isinstance(part, ast.Attribute) and part.attr in SIGHTS:
            return True
        if isinstance(part, ast.keyword) and isinstance(part.value, ast.Name) and part.value.id in ACTORS:
            return True
        if (
            isinstance(part, ast.Call)
            and part.args
            and isinstance(part.args[0], ast.Name)
            and part.args[0].id in ACTORS
        ):
            return True
    return False


def unguarded(text: str) -> Iterator[str]:
    """Public functions that have an actor, read a table, and do not begin with that actor."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            first = node.args.args[0].arg if node.args.args else ""
            if first in ACTORS and uses_tables(node) and not begins_with_who_asks(node):
                yield node.name


def without_actor(path: Path) -> set[str]:
    """Public functions of a queries file that read tables for nobody in particular."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and uses_tables(node):
            first = node.args.args[0].arg if node.args.args else ""
            if first not in ACTORS:
                found.add(node.name)
    return found


def test_nothing_that_faces_people_reads_a_table_itself() -> None:
    assert FACING_PEOPLE
    assert [str(path.relative_to(CONTROL)) for path in FACING_PEOPLE if uses_tables(ast.parse(path.read_text()))] == []


def test_every_read_for_somebody_begins_with_who_asks() -> None:
    assert {path.parent.name: names for path in QUERIES if (names := list(unguarded(path.read_text())))} == {}


def test_what_faces_people_uses_no_read_that_is_for_nobody_in_particular() -> None:
    system = {name for path in QUERIES for name in without_actor(path)}
    assert system
    used = {}
    for path in FACING_PEOPLE:
        names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        names |= {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        if found := sorted(names & system - ALLOWED.keys()):
            used[str(path.relative_to(CONTROL))] = found
    assert used == {}


# Read without an actor and shown all the same, each with its reason.
ALLOWED = {
    "services_of": "of a machine that was read by who asks",
    "links_of": "of a gateway that was read by who asks",
}


def test_a_read_that_forgets_who_asks_is_found() -> None:
    assert list(unguarded("def machines(actor):\n    return Machine.objects.all()\n")) == ["machines"]
    assert list(unguarded("def machines(actor):\n    return Machine.objects.visible_to(actor)\n")) == []
