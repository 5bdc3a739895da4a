# SPDX-License-Identifier: Apache-2.0
"""What a leaf looks like: JSON with sorted keys, so that auditors read it without our code. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from portineria.core.event import Value

VERSION = 1
_JSON = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))  # json.dumps makes one each time
VALUE_CHARACTERS = 512  # of one field; names and reasons are shorter, what is longer is cut and says so


@dataclass(frozen=True, slots=True)
class Leaf:
    organisation: str
    seq: int
    at: datetime
    code: str
    actor: str
    prev_sha256: bytes
    fields: Mapping[str, Value] = field(default_factory=dict)
    hashed: Mapping[str, bytes] = field(default_factory=dict)  # personal and secret fields: SHA256(salt ‖ value)


def encode(leaf: Leaf) -> bytes:
    content = {
        "v": VERSION,
        "organisation": leaf.organisation,
        "seq": leaf.seq,
        "at": written(leaf.at),
        "code": leaf.code,
        "actor": leaf.actor,
        "prev": leaf.prev_sha256.hex(),
        "fields": dict(leaf.fields),
        "hashed": {name: digest.hex() for name, digest in leaf.hashed.items()},
    }
    return _JSON.encode(content).encode()


def written(at: datetime) -> str:
    """To the thousandth of a second; nothing is shown or sorted by less."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def decode(data: bytes) -> dict[str, Any]:
    """Only ever called on our own stored bytes."""
    content: dict[str, Any] = json.loads(data)
    return content


def personal_hash(salt: bytes, value: str) -> bytes:
    return hashlib.sha256(salt + value.encode()).digest()


def shortened(value: Value) -> Value:
    """Lone surrogates come from outside and cannot be stored; control characters would deceive a terminal."""
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "replace").decode()
    text = "".join(symbol if symbol.isprintable() else "\N{REPLACEMENT CHARACTER}" for symbol in text)
    return text if len(text) <= VALUE_CHARACTERS else text[: VALUE_CHARACTERS - 1] + "…"
