# SPDX-License-Identifier: Apache-2.0
"""What the ends of version 0.1 say is understood, and they understand what is said to them, as the wire grows.

``spoken_by_0_1.json`` is what that version declared, as JSON Schema; it is never written again. A field may be added
where its absence means what it meant; it is left out of what is said to an end that has never heard of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from portineria.recording import upload
from portineria.wire import enrolment, envelope, leg, report, statement, stream

SPOKEN: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "spoken_by_0_1.json").read_text("utf-8"))
ROOMS: tuple[ModuleType, ...] = (enrolment, envelope, leg, report, statement, stream, upload)
# What gateways, connectors and relays of theirs say; everything else is (also) said to them.
OF_ENDS = {
    "EnrolmentRequest", "GatewayProof", "GatewayLeg", "ConnectorLeg", "DialFailed", "Context", "Event",
    "StreamTraffic", "Question", "Seen", "LateAnswer", "Glance", "SignalValue", "SignalValues", "Report", "Upload",
}  # fmt: skip


def structs() -> dict[str, type[msgspec.Struct]]:
    found = {
        name: kind
        for room in ROOMS
        for name, kind in vars(room).items()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == room.__name__
    }
    return {name: kind for name, kind in found.items() if not name.startswith("_")}


def declared(kind: type[msgspec.Struct]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([kind])
    return dict(without_words(components[kind.__name__]))


def without_words(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: without_words(value) for key, value in schema.items() if key not in ("title", "description")}
    return [without_words(one) for one in schema] if isinstance(schema, list) else schema


def faults(before: dict[str, Any], kind: type[msgspec.Struct]) -> list[str]:
    """Why an end that speaks ``before`` and this version would not understand each other."""
    now, said = declared(kind), []
    if "prefixItems" in before:  # an array: what is behind its end was never read, and is refused
        if now.get("prefixItems", [])[: len(before["prefixItems"])] != before["prefixItems"]:
            said.append("an entry is another one")
        if now.get("minItems", 0) > before.get("minItems", 0):
            said.append("more entries are needed")
        if now["prefixItems"][len(before["prefixItems"]) :] and kind.__name__ not in OF_ENDS:
            said.append("a further entry, which they refuse")
        return said
    for name, shape in before["properties"].items():
        if now["properties"].get(name) != shape:
            said.append(f"{name} is gone or another one")
    if more := set(now["required"]) - set(before["required"]):
        said.append(f"{sorted(more)} have to be said")
    is_new = now["properties"].keys() - before["properties"].keys()
    if is_new and kind.__name__ not in OF_ENDS and not kind.__struct_config__.omit_defaults:
        said.append("what is new is said although nobody asked for it")
    return said


@pytest.mark.parametrize("name", SPOKEN)
def test_an_end_of_the_first_version_understands_and_is_understood(name: str) -> None:
    assert faults(SPOKEN[name], structs()[name]) == []


def test_a_change_that_older_ends_would_not_understand_is_found() -> None:
    class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        root: Annotated[bytes, Meta(min_length=32)]
        gateway: str = ""

    class Wider(Trust, frozen=True, forbid_unknown_fields=True):
        language: str = "en"

    class Needs(Trust, frozen=True, forbid_unknown_fields=True):
        gateway: str

    class Pair(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
        first: int
        second: int = 0

    class Seen(Pair, frozen=True, array_like=True, forbid_unknown_fields=True):
        third: int = 0

    before = declared(Trust)
    assert faults(before, Trust) == []
    assert faults(before, Wider) == ["what is new is said although nobody asked for it"]
    assert "['gateway'] have to be said" in faults(before, Needs)
    assert faults({**before, "properties": {**before["properties"], "old": {"type": "string"}}}, Trust)
    assert faults(declared(Pair), Seen) == []
    assert faults(declared(Seen), Pair)
    assert structs().keys() >= OF_ENDS
