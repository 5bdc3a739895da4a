# SPDX-License-Identifier: Apache-2.0
"""A register outside its database: one JSON object a line, so that it streams and anybody's tools can read it.

First who signs and where the export begins, then events in their order with the checkpoints between them, last its end.
``docs/reference/ledger.md`` describes the format for whoever writes a checker of their own.
"""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from portineria.core.errors import ProtocolError

VERSION = 1
# A leaf of 32 fields of 512 characters of four bytes is 66 KB, escaped at most twice that, its values as much again.
LINE_BYTES = 1 << 20
T = TypeVar("T")
_Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]


class BadExport(ProtocolError):
    code = "ledger.export"


class _Line(msgspec.Struct, frozen=True, tag_field="is", forbid_unknown_fields=True):
    pass


class Header(_Line, frozen=True, tag="export"):
    """Certificates are DER. ``before`` events stand before the first one here; ``peaks`` are the edge of their tree."""

    version: int
    origin: str
    organisation: str
    root: bytes
    issuer: bytes
    signers: Annotated[list[bytes], Meta(max_length=256)]
    witnesses: Annotated[list[str], Meta(max_length=64)] = []
    before: Annotated[int, Meta(ge=0)] = 0
    peaks: Annotated[list[_Digest], Meta(max_length=64)] = []
    prev: _Digest = bytes(32)


class Personal(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a hash in the leaf stands for: SHA256(salt ‖ value). Erased and secret values are missing."""

    salt: Annotated[bytes, Meta(max_length=64)]
    value: str


class EventLine(_Line, frozen=True, tag="event"):
    """``leaf`` is the text whose UTF-8 bytes were hashed."""

    leaf: str
    personal: dict[str, Personal] = {}


class CheckpointLine(_Line, frozen=True, tag="checkpoint"):
    """A signed note, and RFC 3161 time stamps (DER) of the SHA-256 of its text."""

    note: str
    stamps: Annotated[list[bytes], Meta(max_length=64)] = []


class EndLine(_Line, frozen=True, tag="end"):
    size: Annotated[int, Meta(ge=0)]


class Proof(_Line, frozen=True, tag="proof"):
    """One event, and why it stands in the tree of that checkpoint (RFC 6962, 2.1.1). A file of its own."""

    header: Header
    event: EventLine
    index: Annotated[int, Meta(ge=0)]
    path: Annotated[list[_Digest], Meta(max_length=64)]
    checkpoint: CheckpointLine


class LeafContent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``leaf.encode`` writes."""

    v: int
    organisation: str
    seq: int
    at: str
    code: str
    actor: str
    prev: str
    fields: dict[str, str | int | bool]
    hashed: dict[str, str]


Line = Header | EventLine | CheckpointLine | EndLine | Proof
_LINES: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_LEAF: msgspec.json.Decoder[LeafContent] = msgspec.json.Decoder(LeafContent)


def write_line(line: Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def read_line(data: bytes) -> Line:
    """Raise BadExport for what no export contains."""
    return _read(_LINES, data)


def read_leaf(data: bytes) -> LeafContent:
    return _read(_LEAF, data)


def _read(decoder: "msgspec.json.Decoder[T]", data: bytes) -> T:
    if len(data) > LINE_BYTES:
        raise BadExport(f"a line has at most {LINE_BYTES} bytes")
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadExport(f"no line of a register: {error}") from error
