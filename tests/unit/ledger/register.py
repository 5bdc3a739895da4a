# SPDX-License-Identifier: Apache-2.0
"""A register made of the pure room alone: an installation's keys, events, checkpoints, and its export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.ledger.checkpoint import Checkpoint, origin_of
from portineria.ledger.export import CheckpointLine, EndLine, EventLine, Header, Personal, write_line
from portineria.ledger.leaf import Leaf, encode, personal_hash
from portineria.ledger.merkle import Frontier, leaf_hash
from portineria.ledger.note import Note, Signature, sign
from portineria.wire import certificate as x

INSTALLATION, ORGANISATION = "ins_aaaaaaaaaaaaaaaa", "org_aaaaaaaaaaaaaaaa"
BEGAN = datetime(2026, 11, 1, 8, tzinfo=UTC)
SALT = bytes(16)


@dataclass(frozen=True)
class Keys:
    root: bytes
    root_sha256: bytes
    issuer: bytes
    signer: Ed25519PrivateKey
    certificate: bytes


def keys(name: str = "", role: str = "checkpoint") -> Keys:
    """The same keys for the same name; another name is another installation."""
    return _keys(name, role)


@cache
def _keys(name: str, role: str) -> Keys:
    root_key, issuer_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = x.make_root(root_key, INSTALLATION + name, BEGAN)
    issuer = x.make_issuer("signer", issuer_key.public_key(), root_key=root_key, root=root, at=BEGAN)
    signer = Ed25519PrivateKey.generate()
    leaf = x.issue(
        "signer", f"{role}:sig_aaaaaaaaaaaaaaaa", signer.public_key(), issuer_key=issuer_key, issuer=issuer, at=BEGAN,
        life=timedelta(days=3650),
    )  # fmt: skip
    der = Encoding.DER
    return Keys(
        root.public_bytes(der), x.spki_sha256(root_key.public_key()), issuer.public_bytes(der), signer,
        leaf.public_bytes(der),
    )  # fmt: skip


@dataclass
class Register:
    """Events and checkpoints in their order, as an export has them between its header and its end."""

    keys: Keys = field(default_factory=keys)
    lines: list[EventLine | CheckpointLine] = field(default_factory=list)
    frontier: Frontier = field(default_factory=Frontier)
    prev: bytes = bytes(32)

    @property
    def origin(self) -> str:
        return origin_of(INSTALLATION, ORGANISATION)

    def event(self, name: str = "Technician", **fields: str) -> EventLine:
        seq = self.frontier.size + 1
        leaf = Leaf(
            ORGANISATION, seq, BEGAN + timedelta(seconds=seq), "identity.person.created", "per_owner", self.prev,
            fields={"person": f"per_{seq}", **fields}, hashed={"name": personal_hash(SALT, name)},
        )  # fmt: skip
        line = EventLine(encode(leaf).decode(), {"name": Personal(SALT, name)})
        self.append(line)
        return line

    def append(self, line: EventLine) -> None:
        self.prev = leaf_hash(line.leaf.encode())
        self.frontier.append(self.prev)
        self.lines.append(line)

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(self.origin, self.frontier.size, self.frontier.root())

    def seal(self, *cosignatures: Signature) -> Note:
        text = self.checkpoint().text()
        note = Note(text, (sign(text, self.origin, self.keys.signer), *cosignatures))
        self.lines.append(CheckpointLine(str(note)))
        return note

    def header(self, **changed: object) -> Header:
        header = Header(1, self.origin, ORGANISATION, self.keys.root, self.keys.issuer, [self.keys.certificate])
        return msgspec.structs.replace(header, **changed)

    def export(self, lines: Sequence[EventLine | CheckpointLine] | None = None, **header: object) -> list[bytes]:
        events = sum(isinstance(line, EventLine) for line in self.lines)
        parts = [self.header(**header), *(self.lines if lines is None else lines), EndLine(events)]
        return [write_line(part) for part in parts]


def sealed(events: int, *, every: int = 4, name: str = "") -> Register:
    """A register of so many events, under a checkpoint after every few and one at the end."""
    register = Register(keys(name))
    for number in range(1, events + 1):
        register.event()
        if not number % every or number == events:
            register.seal()
    return register


def rewritten(register: Register, seq: int, text: str) -> Register:
    """By a forger without the key: one event changed, all that follow computed anew, old checkpoints kept."""
    forged = replace(register, lines=[], frontier=Frontier(), prev=bytes(32))
    for line in register.lines:
        if isinstance(line, CheckpointLine):
            forged.lines.append(line)
        elif forged.frontier.size + 1 == seq:
            forged.event(role=text)
        else:
            forged.event()
    return forged
