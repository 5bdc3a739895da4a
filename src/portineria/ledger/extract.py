# SPDX-License-Identifier: Apache-2.0
"""Some events as a table for other programs, and beside it why each stands in the register; one file, signed.

``docs/reference/ledger.md`` describes it for whoever writes a checker of their own.
"""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated

import msgspec
from msgspec import Meta

from portineria.core.errors import ProtocolError
from portineria.ledger import evidence as e
from portineria.ledger.bundle import BundleVerdict, check_members, check_register, check_signature, member
from portineria.ledger.evidence_archive import pack, unpack
from portineria.ledger.trust import Trust

VERSION = 1


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of all members but itself and the note that signs it. ``asked``: the search, as the address of its page says."""

    version: int
    organisation: e.Name
    made_at: e.Name
    events: Annotated[int, Meta(ge=0)]
    asked: Annotated[str, Meta(max_length=4096)]
    members: Annotated[list[e.Member], Meta(max_length=e.MEMBERS)]


@dataclass(slots=True)
class Verdict(BundleVerdict):
    organisation: str = ""
    asked: str = ""
    table: str = ""  # name of the member that other programs read


_MANIFEST: msgspec.json.Decoder[Manifest] = msgspec.json.Decoder(Manifest)


def statement(organisation: str, manifest: bytes) -> str:
    """The text that the register's key signs; neither a checkpoint nor that of an evidence bundle reads like it."""
    return f"portineria extract {VERSION}\n{organisation}\n{b64encode(sha256(manifest).digest()).decode()}\n"


def manifest_of(organisation: str, made_at: str, events: int, asked: str, members: dict[str, bytes]) -> bytes:
    listed = [e.Member(name, len(content), sha256(content).digest()) for name, content in members.items()]
    made = Manifest(VERSION, organisation, made_at, events, asked, listed)
    return msgspec.json.format(msgspec.json.encode(made)) + b"\n"


def packed(manifest: bytes, note: str, members: dict[str, bytes]) -> bytes:
    return pack({e.MANIFEST: manifest, e.NOTE: note.encode(), **members})


def verify_extract(data: bytes, trust: Trust) -> Verdict:
    verdict = Verdict()
    members, faults = unpack(data)
    for fault in faults:
        verdict.fault(fault)
    try:
        manifest = _read(member(members, e.MANIFEST))
        verdict.made_at, verdict.members = manifest.made_at, len(manifest.members)
        verdict.organisation, verdict.asked = manifest.organisation, manifest.asked
        verdict.table = next((one.name for one in manifest.members if one.name != e.REGISTER), "")
        check_members(members, manifest.members, verdict)
        signers, leaves = check_register(members, manifest.organisation, trust, verdict)
        check_signature(members, statement(manifest.organisation, members[e.MANIFEST]), signers, verdict)
        if len(leaves) != manifest.events:
            verdict.fault(f"{e.REGISTER}: {len(leaves)} events, the manifest says {manifest.events}")
    except ProtocolError as error:
        verdict.fault(str(error))
    return verdict


def _read(data: bytes) -> Manifest:
    try:
        found = _MANIFEST.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise e.BadEvidence(f"{e.MANIFEST}: {error}") from error
    if found.version != VERSION:
        raise e.BadEvidence(f"{e.MANIFEST}: version {found.version}, expected {VERSION}")
    return found
