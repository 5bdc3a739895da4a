# SPDX-License-Identifier: Apache-2.0
"""One event as one syslog message (RFC 5424). Pure.

Two elements of structured data: what every event has, and the fields of this one, so that a field called like one of
ours cannot be taken for it. 32473 is the number of examples (RFC 5612) until the project has one of its own.
"""

from collections.abc import Mapping
from functools import lru_cache

from portineria.core.event import Value
from portineria.sinks.outgoing import PRODUCT, Outgoing, timestamp, written

_FACILITY = 13  # log audit (RFC 5424, 6.2.1)
_ENTERPRISE = 32473
_BOM = b"\xef\xbb\xbf"  # the text is UTF-8 (6.4)
_HOST, _NAME = 255, 32  # longest HOSTNAME (6.2.4), longest MSGID (6.2.7) and name of a parameter (6.3.3)


def message(event: Outgoing) -> bytes:
    return _head(event) + _element("portineria", _common(event)) + _element("event", event.fields) + b" " + _text(event)


def enclosed(event: Outgoing, payload: str) -> bytes:
    """A message without structured data, whose text is another format: those who read it want no byte order mark."""
    return _head(event) + b"- " + payload.encode()


def _head(event: Outgoing) -> bytes:
    priority = _FACILITY * 8 + event.severity
    host = _plain(event.source, _HOST)
    return f"<{priority}>1 {timestamp(event.at)} {host} {PRODUCT} - {_plain(event.code, _NAME)} ".encode()


@lru_cache(1024)  # names of fields, codes, our own host: a few hundred
def _plain(text: str, most: int) -> str:
    """PRINTUSASCII: no space, nothing but ASCII."""
    if text.isascii() and text.isprintable() and " " not in text:
        return text[:most] or "-"
    return "".join(symbol if "!" <= symbol <= "~" else "?" for symbol in text)[:most] or "-"


def _common(event: Outgoing) -> dict[str, Value]:
    found: dict[str, Value] = {
        "organisation": event.organisation, "seq": str(event.seq), "code": event.code, "actor": event.actor,
        "outcome": event.outcome.value, "leaf": event.leaf_sha256, "version": event.version,
    }  # fmt: skip
    return found | ({"techniques": " ".join(event.techniques)} if event.techniques else {})


def _element(name: str, values: Mapping[str, Value]) -> bytes:
    parts = "".join(f' {_plain(key, _NAME)}="{_escaped(value)}"' for key, value in values.items())
    return f"[{name}@{_ENTERPRISE}{parts}]".encode()


def _escaped(value: Value) -> str:
    """6.3.3: these three, and no others, are escaped; what is not printable is gone already."""
    return written(value).replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _text(event: Outgoing) -> bytes:
    return _BOM + written(event.name).encode()
