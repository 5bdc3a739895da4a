# SPDX-License-Identifier: Apache-2.0
"""Turns pieces of a capture into chunks, each chained to the one before. Whoever keeps them says when one is kept."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.recording.capture import Clocks, Piece
from portineria.recording.chunk import encrypt, write_chunk
from portineria.recording.entry import NOTHING_BEFORE, Entry, head_of, key_of, sign_entry

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class About:
    """What is the same in every entry of one recording."""

    recording: str
    session: str
    organisation: str
    gateway: str
    boot: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    entry: Entry
    head: bytes
    data: bytes


class Sealer:
    """``last``: to go on behind this entry with this head."""

    def __init__(self, about: About, key: Ed25519PrivateKey, last: tuple[Entry, bytes] | None = None) -> None:
        self._about, self._key, self._public = about, key, key_of(key)
        self.number, self.head = (last[0].number, last[1]) if last else (0, NOTHING_BEFORE)

    def seal(self, piece: Piece, at: Clocks, recipients: Sequence[str], *, end: str = "") -> Sealed:
        """The next chunk. Nothing has changed before ``keep``. Raise BadRecipient."""
        about = self._about
        plain_bytes, cipher = encrypt(piece.index, piece.capture, recipients)
        entry = Entry(
            recording=about.recording, session=about.session, organisation=about.organisation, gateway=about.gateway,
            key=self._public, number=self.number + 1, previous=self.head, boot=about.boot,
            began_ms=piece.clocks.wall_ns // _MS, sealed_ms=at.wall_ns // _MS,
            began_boot_ms=piece.clocks.boot_ns // _MS, sealed_boot_ms=at.boot_ns // _MS,
            packets=piece.packets, operations=piece.operations, plain_bytes=plain_bytes, cipher_bytes=len(cipher),
            cipher_sha256=hashlib.sha256(cipher).digest(), streams=piece.streams, totals=piece.totals,
            recipients=list(recipients), end=end[:32], cuts=piece.cut[0],
            cut_bytes=piece.cut[1],
        )  # fmt: skip
        signed = sign_entry(entry, self._key)
        return Sealed(entry, head_of(signed), write_chunk(signed, cipher))

    def keep(self, sealed: Sealed) -> None:
        """It is on the disk: the next one follows it."""
        self.number, self.head = sealed.entry.number, sealed.head
