# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import portineria.control
from portineria.core.event import CATALOGUE, REPORTED_BY_GATEWAYS, DataClass, UnknownEvent, classify

SOURCES = sorted(
    path
    for path in Path(portineria.control.__path__[0]).rglob("*.py")
    if not {"migrations", "console"} & set(path.parts)
)
FORM = re.compile(r"[a-z_]+(\.[a-z-]+){1,2}")


def recorded() -> set[str]:
    """Every text in our sources that is, or by its f-string parts could become, an event's code."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in CATALOGUE:
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [re.escape(str(p.value)) if isinstance(p, ast.Constant) else "[a-z-]+" for p in node.values]
                pattern = re.compile("".join(parts))
                found |= {code for code in CATALOGUE if "." in "".join(parts) and pattern.fullmatch(code)}
    return found


def test_every_code_of_ours_is_recorded_somewhere() -> None:
    assert set(CATALOGUE) - REPORTED_BY_GATEWAYS - recorded() == set()


def test_codes_follow_the_grammar() -> None:
    assert [code for code in CATALOGUE if not FORM.fullmatch(code)] == []


def test_what_people_write_about_people_is_personal() -> None:
    loose = [code for code, fields in CATALOGUE.items() if "email" in fields and fields["email"] is DataClass.PUBLIC]
    reasons = [
        code
        for code, fields in CATALOGUE.items()
        if code not in REPORTED_BY_GATEWAYS and fields.get("reason") is DataClass.PUBLIC
    ]
    assert loose == reasons == []


def test_an_unknown_code_or_field_is_refused() -> None:
    with pytest.raises(UnknownEvent):
        classify("access.grant.whispered", {})
    with pytest.raises(UnknownEvent):
        classify("access.request.cancelled", {"password": "x"})
