# SPDX-License-Identifier: Apache-2.0
"""Recordings to be checked, made as a gateway makes them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.recording.capture import Capture, Clocks, Piece, comment_of
from portineria.recording.chunk import open_chunk
from portineria.recording.seal import About, Sealer
from portineria.recording.verification import Verdict, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes([9] * 32))
OWNER, AUDITOR = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
ABOUT = About("rec_aaaaaaaaaaaaaaaa", "ses_aaaaaaaaaaaaaaaa", "org_aaaaaaaaaaaaaaaa", "gw_aaaaaaaaaaaaaaaa", bytes(32))
FIRST, SECOND = "str_aaaaaaaaaaaaaaaa", "str_bbbbbbbbbbbbbbbb"
NOON_NS = 1_795_000_000_000_000_000
READ = bytes.fromhex("0001 0000 0006 01 03 006B 0002")
ANSWER = bytes.fromhex("0001 0000 0007 01 03 04 0001 0002")


def at(ms: int) -> Clocks:
    return Clocks(NOON_NS + ms * 1_000_000, ms * 1_000_000)


@dataclass
class Recording:
    """``seal`` closes a chunk."""

    about: About = ABOUT
    key: Ed25519PrivateKey = KEY
    recipients: Sequence[str] = (str(OWNER.to_public()),)
    chunks: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.capture = Capture(self.about.session, "Portineria")
        self.sealer = Sealer(self.about, self.key)
        self.ms = 0

    def tick(self) -> Clocks:
        self.ms += 1
        return at(self.ms)

    def open(self, stream: str = FIRST, address: str = "192.168.10.5") -> None:
        self.capture.open(stream, "srv_aaaaaaaaaaaaaaaa", address, 502, self.tick())

    def say(self, stream: str, direction: int, data: bytes, *, function: str = "") -> None:
        moment = self.tick()
        comment = comment_of(self.capture.operation(stream, {"function": function}, moment)) if function else ""
        self.capture.data(stream, direction, [memoryview(data)], moment, comment)

    def over(self, stream: str = FIRST, how: str = "finished") -> None:
        self.capture.half(stream, 0, self.tick())
        self.capture.half(stream, 1, self.tick())
        self.capture.over(stream, how, self.tick())

    def take(self) -> Piece:
        return self.capture.take(self.tick())

    def seal(self, end: str = "", piece: Piece | None = None) -> None:
        sealed = self.sealer.seal(piece or self.take(), self.tick(), self.recipients, end=end)
        self.sealer.keep(sealed)
        self.chunks.append(sealed.data)


def conversation(**how: object) -> Recording:
    """Four chunks: two streams, eight requests with answers, the end."""
    made = Recording(**how)  # type: ignore[arg-type]
    made.open()
    for round_ in range(3):
        if round_ == 1:
            made.open(SECOND, "2001:db8:10::5")
        for stream in (FIRST, SECOND)[: round_ + 1]:
            made.say(stream, 0, READ, function="read-holding-registers")
            made.say(stream, 1, ANSWER)
        made.seal()
    made.over(FIRST)
    made.over(SECOND, "cut")
    made.seal(end="session.ended")
    return made


def deep(chunks: Sequence[bytes], identity: pyrage.x25519.Identity = OWNER) -> Verdict:
    return verify(chunks, opener=lambda chunk: open_chunk(chunk, [identity]))
