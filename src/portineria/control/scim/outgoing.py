# SPDX-License-Identifier: Apache-2.0
"""Whom a message of a directory takes out: one person, or those of a group whom it names or leaves out."""

import json
from typing import Any

from portineria.control.remote_sessions.directory_ends import About


def about_person(person: str) -> About:
    return About(person=person, again=lambda one: one == person)


def about_group(group: str, people: set[str], patch: dict[str, Any] | None = None) -> About:
    """``people``: who is in it then. All of a group says it of everybody else, a ``patch`` of whom it removes."""

    def again(person: str) -> bool:
        return person not in people and (patch is None or any(_removes(one, person) for one in operations_of(patch)))

    return About(group=group, again=again)


def operations_of(patch: dict[str, Any]) -> list[dict[str, Any]]:
    """Names of attributes are the same in any case (RFC 7643, 2.1). What is none of these the library refuses."""
    found = next((value for key, value in patch.items() if key.lower() == "operations"), None)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _removes(operation: dict[str, Any], person: str) -> bool:
    kind, path = str(operation.get("op", "")).lower(), str(operation.get("path", "")).lower()
    if kind == "replace":
        value = operation.get("value")
        named = {str(key).lower() for key in value} if isinstance(value, dict) else set()
        return path.startswith("members") or "members" in named
    if kind != "remove" or not path.startswith("members"):
        return False
    return not (operation.get("value") or "[" in path) or person in json.dumps(operation)
