# SPDX-License-Identifier: Apache-2.0
"""An evidence bundle: everything that proves what one session was, in one file, to be checked without any server.

``docs/reference/evidence.md`` describes the format for whoever writes a checker of their own.
"""

from base64 import b64encode
from hashlib import sha256
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from portineria.core.errors import ProtocolError
from portineria.ledger.export import CheckpointLine, EventLine, Header

VERSION = 1
MANIFEST, NOTE, FACTS, REGISTER, GATEWAY, ORDER, REPORT = (
    "manifest.json", "manifest.note", "session.json", "register.jsonl", "gateway.jsonl", "order.bin", "report.json",
)  # fmt: skip
LANGUAGES = ("en", "it", "ja")
MEMBERS = 64
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
Name = Annotated[str, Meta(max_length=128)]
T = TypeVar("T")


class BadEvidence(ProtocolError):
    code = "ledger.evidence"


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Member(_Shape, frozen=True):
    name: Name
    size: Annotated[int, Meta(ge=0)]
    sha256: Digest


class Manifest(_Shape, frozen=True):
    """Of all members but itself and the note that signs it."""

    version: int
    organisation: Name
    session: Name
    made_at: Name
    members: Annotated[list[Member], Meta(max_length=MEMBERS)]


class Entry(_Shape, frozen=True, tag_field="is", tag="entry"):
    """One event and why it stands in the register. Withheld from this reader: only its hash."""

    index: Annotated[int, Meta(ge=0)]
    path: Annotated[list[Digest], Meta(max_length=64)]
    event: EventLine | None = None
    leaf_sha256: Digest | None = None


class Said(_Shape, frozen=True):
    """The bytes that the gateway signed for event ``seq``."""

    seq: Annotated[int, Meta(ge=1)]
    signed: Annotated[bytes, Meta(max_length=1 << 16)]


class RecordingHead(_Shape, frozen=True):
    recording: Name
    chunks: int
    head: Digest


class Facts(msgspec.Struct, frozen=True):
    """``session.json``, as far as a checker needs it; people read more in it. ``left_out``: events for which there was
    no room.
    """

    session: str
    gateway_key: Digest
    recordings: Annotated[list[RecordingHead], Meta(max_length=4096)]
    left_out: int = 0


_MANIFEST: msgspec.json.Decoder[Manifest] = msgspec.json.Decoder(Manifest)
_FACTS: msgspec.json.Decoder[Facts] = msgspec.json.Decoder(Facts)
_ENTRIES: msgspec.json.Decoder[Header | CheckpointLine | Entry] = msgspec.json.Decoder(Header | CheckpointLine | Entry)
_SAID: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)


def report_name(language: str) -> str:
    return f"report.{language}.html"


def statement(session: str, manifest: bytes) -> str:
    """The text that the register's key signs. No checkpoint reads like it: their second line is a number."""
    return f"portineria evidence {VERSION}\n{session}\n{b64encode(sha256(manifest).digest()).decode()}\n"


def manifest_of(organisation: str, session: str, made_at: str, members: dict[str, bytes]) -> bytes:
    listed = [Member(name, len(content), sha256(content).digest()) for name, content in members.items()]
    return msgspec.json.format(msgspec.json.encode(Manifest(VERSION, organisation, session, made_at, listed))) + b"\n"


def read_manifest(data: bytes) -> Manifest:
    """Raise BadEvidence, as all readers here."""
    found = _read(_MANIFEST, data, MANIFEST)
    if found.version != VERSION:
        raise BadEvidence(f"{MANIFEST}: version {found.version}, expected {VERSION}")
    return found


def read_facts(data: bytes) -> Facts:
    return _read(_FACTS, data, FACTS)


def read_register(data: bytes) -> tuple[Header, CheckpointLine, list[Entry]]:
    lines = [_read(_ENTRIES, line, REGISTER) for line in data.splitlines()]
    if len(lines) < 2 or not isinstance(lines[0], Header) or not isinstance(lines[1], CheckpointLine):
        raise BadEvidence(f"{REGISTER}: it does not begin with whose it is and a checkpoint")
    entries = [line for line in lines[2:] if isinstance(line, Entry)]
    if len(entries) != len(lines) - 2:
        raise BadEvidence(f"{REGISTER}: something else than events stands behind the checkpoint")
    return lines[0], lines[1], entries


def read_said(data: bytes) -> dict[int, bytes]:
    return {said.seq: said.signed for said in (_read(_SAID, line, GATEWAY) for line in data.splitlines())}


def _read(decoder: "msgspec.json.Decoder[T]", data: bytes, where: str) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadEvidence(f"{where}: {error}") from error
