# SPDX-License-Identifier: Apache-2.0
"""OCSF's own schema files with our extension beside them, and what of an event does not fit."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

EXTENSION = Path(__file__).resolve().parents[3] / "docs/reference/ocsf-ot"
_NUMBERS = {"integer_t", "long_t", "timestamp_t", "port_t"}


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


class Schema:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.core = read(folder / "dictionary.json")["attributes"]
        self.own = read(EXTENSION / "dictionary.json")["attributes"]
        self._classes = {read(path)["name"]: read(path) for path in (folder / "events").rglob("*.json")}
        categories = read(folder / "categories.json")["attributes"]
        self._names = {
            categories[self._category(name)]["uid"] * 1000 + found["uid"]: name
            for name, found in self._classes.items()
            if "uid" in found and self._category(name) in categories
        } | {0: "base_event"}

    def _category(self, name: str) -> str:
        found = self._classes[name]
        return str(found.get("category") or self._category(found["extends"]))

    def faults(self, event: dict[str, Any]) -> list[str]:
        profiles = frozenset(event["metadata"]["profiles"])
        name = self._names[event["class_uid"]]
        if event["category_uid"] != event["class_uid"] // 1000:
            return ["category_uid is of another category"]
        return list(self._of(event, self._attributes(name, profiles, objects=False), profiles, name))

    def _attributes(self, name: str, profiles: frozenset[str], *, objects: bool) -> dict[str, Any]:
        """With what it extends, the profiles that the event names, and ours where it may be."""
        definition = self._object(name) if objects else self._classes[name]
        found = self._attributes(definition["extends"], profiles, objects=objects) if "extends" in definition else {}
        own = dict(definition.get("attributes", {}))
        for place in own.pop("$include", []):
            profile = read(self._folder / place)
            if profile["name"] in profiles:
                found = found | profile["attributes"]
        if not objects and "ot/ot" in profiles:
            found = found | read(EXTENSION / "profiles/ot.json")["attributes"]
        return found | {key: {**found.get(key, {}), **value} for key, value in own.items()}

    @cache  # noqa: B019  # one schema for a test run
    def _object(self, name: str) -> dict[str, Any]:
        own = EXTENSION / f"objects/{name}.json"
        return read(own if own.exists() else self._folder / f"objects/{name}.json")

    def _of(self, given: dict[str, Any], known: dict[str, Any], profiles: frozenset[str], place: str) -> Iterator[str]:
        for name, attribute in known.items():
            if attribute.get("requirement") == "required" and name not in given:
                yield f"{place}.{name} is missing"
        for name, value in given.items():
            if name not in known:
                yield f"{place}.{name} is not in the schema"
            else:
                yield from self._value(value, known[name], profiles, f"{place}.{name}")

    def _value(self, value: Any, attribute: dict[str, Any], profiles: frozenset[str], place: str) -> Iterator[str]:
        name = place.rpartition(".")[2]
        entry = self.own.get(name) or self.core[name]
        # Those of a class are computed from its number: ``faults`` found it by that number.
        computed = name in ("class_uid", "category_uid", "type_uid")
        enum = {} if computed else {**entry.get("enum", {}), **attribute.get("enum", {})}
        if entry.get("is_array"):
            if not isinstance(value, list):
                yield f"{place} is no list"
                return
            for one in value:
                yield from self._one(one, entry["type"], enum, profiles, place)
        else:
            yield from self._one(value, entry["type"], enum, profiles, place)

    def _one(self, value: Any, kind: str, enum: dict[str, Any], profiles: frozenset[str], place: str) -> Iterator[str]:
        if enum and str(value) not in enum:
            yield f"{place}: {value!r} is none of {sorted(enum)}"
        elif kind in _NUMBERS and (not isinstance(value, int) or isinstance(value, bool)):
            yield f"{place} is no number"
        elif kind == "ip_t":
            ipaddress.ip_address(value)
        elif kind.endswith("_t") and kind not in _NUMBERS and not isinstance(value, str):
            yield f"{place} is no text"
        elif not kind.endswith("_t") and kind != "object":
            known = self._attributes(kind, profiles, objects=True)
            constraint = self._object(kind).get("constraints", {}).get("at_least_one", [])
            if constraint and not set(constraint) & value.keys():
                yield f"{place} has none of {constraint}"
            yield from self._of(value, known, profiles, place)
