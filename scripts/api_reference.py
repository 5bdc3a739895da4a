# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/api.md from the REST API's own description: `write`, or `check` that it is up to date."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).resolve().parent.parent / "docs/reference/api.md"
HEAD = """# REST API

Written by `scripts/api_reference.py write` from what `/api/rest/v1/openapi.json` says; a test holds it against that.
How to call it, keys, cursors and refusals: [howto/api.md](../howto/api.md). `?` marks what may be left out.

The scope says who may at all: tokens of service accounts have *read* and, where given, *ask* and *operate*; connectors
have these three; a person in a browser has all. Beyond that everybody may what their role allows in the console.
"""


def described() -> dict[str, Any]:
    """With a state folder of its own: settings are read when Django starts."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PORTINERIA_STATE"] = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "portineria.control.settings.base"
        import django

        django.setup()
        from portineria.control.rest.api import api

        found: dict[str, Any] = api.get_openapi_schema()
        return found


def written(schema: dict[str, Any]) -> str:
    tags: dict[str, list[str]] = {}
    for path, item in schema["paths"].items():
        for method, said in item.items():
            tags.setdefault(said["tags"][0], []).append(_row(schema, path, method, said))
    parts = [HEAD]
    for tag, rows in tags.items():
        parts += [f"## {tag.capitalize()}\n", "| | scope | takes | answers |", "|---|---|---|---|", *rows, ""]
    parts += ["## Answers\n", "| | |", "|---|---|"]
    shapes = schema["components"]["schemas"].items()
    parts += [f"| `{name}` | {_members(one)} |" for name, one in sorted(shapes) if _answered(name, schema)]
    return "\n".join(parts) + "\n"


def _answered(name: str, schema: dict[str, Any]) -> bool:
    """Not what is sent; a part of a list is its items and ``next``."""
    bodies = str([item[method].get("requestBody") for item in schema["paths"].values() for method in item])
    return f"/{name}'" not in bodies and not name.startswith("Leaf_")


def _row(schema: dict[str, Any], path: str, method: str, said: dict[str, Any]) -> str:
    what = said.get("description", "").replace("\n", " ").replace("|", "\\|")
    address = path.removeprefix("/api/rest/v1")
    taken = [_name(one["name"], needed=one["required"]) for one in said["parameters"] if one["in"] == "query"]
    if "requestBody" in said:
        body = _resolved(schema, said["requestBody"]["content"]["application/json"]["schema"])
        needed = body.get("required", [])
        taken += [_name(name, needed=name in needed) for name in body["properties"]]
    answer = said["responses"][200]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    shown = f"list of `{answer.strip('_').removeprefix('Leaf_')}`" if answer.startswith("Leaf_") else f"`{answer}`"
    return f"| `{method.upper()} {address}` {what} | {said['x-scope']} | {' '.join(taken)} | {shown} |"


def _name(name: str, *, needed: bool) -> str:
    return f"`{name}`" if needed else f"`{name}`?"


def _resolved(schema: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    return found


def _members(shape: dict[str, Any]) -> str:
    what = shape.get("description", "").replace("\n", " ").replace("|", "\\|")
    return f"{what} {' '.join(f'`{name}`' for name in shape['properties'])}".strip()


def main(verb: str) -> int:
    text = written(described())
    if verb == "write":
        REFERENCE.write_text(text, "utf-8")
        return 0
    if REFERENCE.read_text("utf-8") == text:
        return 0
    print(f"{REFERENCE.name} is not what the API says of itself: python scripts/api_reference.py write")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
