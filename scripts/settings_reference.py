# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/settings.md from the settings of the processes: `write`, or `check` that it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import msgspec

from portineria.control.settings.server import ServerSettings
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.dataplane.relay.settings import RelaySettings

REFERENCE = Path(__file__).resolve().parent.parent / "docs/reference/settings.md"
PROCESSES = (
    ("Server", "`portineria.toml` in the state folder", "PORTINERIA_SERVER_", ServerSettings),
    ("Relay", "`relay.toml`, which the server writes for its own relays", "PORTINERIA_RELAY_", RelaySettings),
    ("Gateway", "`gateway.toml` in the state folder", "PORTINERIA_GATEWAY_", GatewaySettings),
)
HEAD = """# Settings

Written by `scripts/settings_reference.py write` from the settings themselves; a test holds it against them.
A variable goes before the file. Lists are written with commas in a variable. A misspelt name is refused at start.
"""


def written() -> str:
    return "\n".join([HEAD, *(_process(*process) for process in PROCESSES)])


def _process(name: str, file: str, prefix: str, shape: type[msgspec.Struct]) -> str:
    rows = [f"## {name}\n\n{file[0].upper()}{file[1:]}, or `{prefix}…`.\n", "| setting | default | |", "|---|---|---|"]
    rows += [f"| `{field.name}` | {_default(field)} | {_text(field.type)} |" for field in msgspec.structs.fields(shape)]
    return "\n".join(rows) + "\n"


def _default(field: Any) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return f"`{field.default_factory()}`"
    if field.default is msgspec.NODEFAULT:
        return "needed"
    return "none" if field.default is None or field.default == "" else f"`{field.default}`"


def _text(declared: Any) -> str:
    said = (meta.description or "" for meta in get_args(declared)[1:] if isinstance(meta, msgspec.Meta))
    return next(said, "").replace("|", "\\|")


def main(verb: str) -> int:
    if verb == "write":
        REFERENCE.write_text(written())
        return 0
    if REFERENCE.read_text() == written():
        return 0
    print(f"{REFERENCE.name} is not what the settings say: python scripts/settings_reference.py write")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
