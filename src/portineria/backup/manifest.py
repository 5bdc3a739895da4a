# SPDX-License-Identifier: Apache-2.0
"""What a backup says of itself, as its last member; and which names a member may have."""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from portineria.core.errors import ProtocolError

FORMAT = 1
SQLITE, POSTGRESQL = "database.sqlite3", "database.pgdump"
LIST, MANIFEST = "members.sha256", "manifest.json"
STATE, RECORDINGS = "state/", "recordings/"
MANIFEST_BYTES = 16 << 20  # 20,000 organisations with a checkpoint of 700 bytes each
STATE_BYTES = 16 << 20  # keys, certificates, settings: no file of ours has a hundredth of it
_PART = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._@+=-]{1,80}"
_STATE = re.compile(rf"state/{_PART}(?:/{_PART}){{0,5}}")
_RECORDING = re.compile(r"recordings/[a-z0-9_]{1,64}/[a-z0-9_]{1,64}/[a-z0-9_]{1,64}/[0-9]{8,10}\.chunk")
_SECTIONS = (re.compile("database\\.(?:sqlite3|pgdump)"), _STATE, _RECORDING, re.compile(LIST), re.compile(MANIFEST))


class BadBackup(ProtocolError):
    """Not, or not whole, what ``portineria backup`` wrote."""

    code = "backup.broken"


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The newest one of a register when the backup was made."""

    organisation: Annotated[str, Meta(max_length=64)]
    size: Annotated[int, Meta(ge=1)]
    note: Annotated[str, Meta(max_length=8192)]


class Recordings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``inside``: the chunks' files are members. Otherwise only the database says what there was."""

    inside: bool
    chunks: Annotated[int, Meta(ge=0)] = 0
    size: Annotated[int, Meta(ge=0)] = 0
    gone: Annotated[int, Meta(ge=0)] = 0  # the database names them, the store had them no more
    damaged: Annotated[int, Meta(ge=0)] = 0  # members as they were: other bytes than the database names


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    made_at: Annotated[str, Meta(max_length=40)]
    version: Annotated[str, Meta(max_length=40)]
    installation: Annotated[str, Meta(max_length=64)]
    database: Annotated[str, Meta(max_length=32)]
    master_key_inside: bool
    master_key_check: Annotated[str, Meta(max_length=64)]  # derived from the key; says nothing of it
    recordings: Recordings
    checkpoints: list[Checkpoint]
    outside: list[Annotated[str, Meta(max_length=1024)]]  # files that the settings name and that are not in here
    members: Annotated[int, Meta(ge=1)]
    members_sha256: Annotated[str, Meta(max_length=64)]


def section_of(name: str) -> int:
    """Sections follow each other in this order. Raise BadBackup for a name that nothing of ours has."""
    for number, allowed in enumerate(_SECTIONS):
        if allowed.fullmatch(name):
            return number
    raise BadBackup(f"a member is called {name[:100]!r}: nothing of a backup has such a name")


def read_manifest(data: bytes) -> Manifest:
    try:
        found = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBackup(f"its manifest cannot be read: {error}") from error
    if found.format != FORMAT:
        raise BadBackup(f"it has format {found.format}, this version reads {FORMAT}: use the version that made it")
    return found
