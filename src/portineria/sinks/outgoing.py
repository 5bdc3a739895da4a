# SPDX-License-Identifier: Apache-2.0
"""An event as it leaves the house, and what every format does to text that came from strangers. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from portineria.core.event import Value
from portineria.core.event_meaning import Outcome, Severity

PRODUCT = "Portineria"
VALUE_CHARACTERS = 2048  # of one field; the register keeps 512, so that nothing of it is cut here


@dataclass(frozen=True, slots=True)
class Outgoing:
    """``source``: the host name of the console. ``fields``: only what this receiver may have."""

    source: str
    version: str
    organisation: str
    seq: int
    at: datetime
    code: str
    actor: str
    severity: Severity
    outcome: Outcome
    leaf_sha256: str
    techniques: tuple[str, ...] = ()
    fields: Mapping[str, Value] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The code in words."""
        return self.code.replace(".", " ").replace("-", " ").replace("_", " ")

    @property
    def key(self) -> str:
        """The same however often it is sent: by it a receiver knows what it has."""
        return f"{self.organisation}-{self.seq}"


def written(value: Value) -> str:
    """On one line, of bounded length: nothing in it ends a record or moves a terminal's cursor."""
    if isinstance(value, str) and len(value) <= VALUE_CHARACTERS and value.isprintable():
        return value  # nearly all of them
    if isinstance(value, bool):
        return "true" if value else "false"
    text = printable(str(value)[: VALUE_CHARACTERS + 1])
    return text if len(text) <= VALUE_CHARACTERS else text[: VALUE_CHARACTERS - 1] + "…"


def printable(text: str) -> str:
    """What is not, a lone surrogate and a line end of any script among it, is replaced one for one."""
    if text.isprintable():
        return text
    return "".join(symbol if symbol.isprintable() else "\N{REPLACEMENT CHARACTER}" for symbol in text)


def as_json(value: Value) -> str | int | bool:
    return written(value) if isinstance(value, str) else value


def timestamp(at: datetime) -> str:
    """RFC 3339, UTC, to the thousandth of a second."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(at: datetime) -> int:
    """Since 1970."""
    return int(at.timestamp()) * 1000 + at.microsecond // 1000
