# SPDX-License-Identifier: Apache-2.0
"""Fields of a gateway's event as our rows take them: bounded, printable, never negative."""

from portineria.control.remote_sessions.traffic import MOST
from portineria.wire.report import Event


def text(event: Event, name: str, characters: int) -> str:
    value = event.fields.get(name, "")
    said = str(value).encode("utf-8", "replace").decode()
    return "".join(symbol for symbol in said if symbol.isprintable())[:characters]


def number(event: Event, name: str) -> int:
    value = event.fields.get(name, 0)
    return min(max(value, 0), MOST) if isinstance(value, int) else 0
