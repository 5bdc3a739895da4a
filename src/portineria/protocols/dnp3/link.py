# SPDX-License-Identifier: Apache-2.0
"""Data link layer (9): how a stream is cut into frames, and the check of each block of at most sixteen octets."""

from struct import Struct
from typing import NamedTuple

from portineria.protocols.inspection import Undecodable

START = b"\x05\x64"
HEADER = 10  # start 2, length, control, destination 2, source 2, check 2: 9.2.4.1
SHORTEST = 5  # 9.2.4.1.2: the length counts control, addresses and user data, no checks
BLOCK = 16  # octets of user data before each check: 9.2.4.2
MOST_DATA = 250  # of one frame, the octet of the transport function included
FROM_MASTER, PRIMARY, COUNT_BIT, COUNT_VALID = 0x80, 0x40, 0x20, 0x10  # 9.2.4.1.3
RESET, RESET_USER, TEST, CONFIRMED, UNCONFIRMED, REQUEST_STATUS = 0, 1, 2, 3, 4, 9
ACK, NACK, STATUS, NOT_SUPPORTED = 0, 1, 11, 15
PRIMARIES = {
    RESET: "link-reset",
    RESET_USER: "link-reset-user",
    TEST: "link-test",
    CONFIRMED: "confirmed-data",
    UNCONFIRMED: "unconfirmed-data",
    REQUEST_STATUS: "link-request-status",
}
SECONDARIES = {ACK: "link-ack", NACK: "link-nack", STATUS: "link-status", NOT_SUPPORTED: "link-not-supported"}
USER_DATA = (CONFIRMED, UNCONFIRMED)
BROADCAST, SELF, RESERVED = 0xFFFD, 0xFFFC, 0xFFF0  # 9.2.4.1.4 and 5: the first of the three, and of all reserved
_ADDRESSED = Struct("<BBHH")
_HEAD = Struct("<2xBBHH").unpack_from


class BadDnp3(Undecodable):
    """The message says what in the standard, or in what went before, it contradicts."""

    code = "protocol.dnp3"


class Frame(NamedTuple):
    """``raw`` as it came, checks included; ``data`` without them."""

    raw: bytes
    control: int
    destination: int
    source: int
    data: bytes

    @property
    def carries_data(self) -> bool:
        return bool(self.control & PRIMARY) and self.control & 15 in USER_DATA

    @property
    def name(self) -> str:
        return (PRIMARIES if self.control & PRIMARY else SECONDARIES)[self.control & 15]


def _register(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (0xA6BC if octet & 1 else 0)
    return octet


_TABLE = tuple(_register(octet) for octet in range(256))


def check(data: bytes) -> bytes:
    """The cyclic redundancy check x^16+x^13+x^12+x^11+x^10+x^8+x^6+x^5+x^2+1, inverted: 9.2.4.3."""
    register = 0
    for octet in data:
        register = register >> 8 ^ _TABLE[(register ^ octet) & 255]
    return (~register & 0xFFFF).to_bytes(2, "little")


def frame(control: int, destination: int, source: int, data: bytes = b"") -> bytes:
    head = START + _ADDRESSED.pack(SHORTEST + len(data), control, destination, source)
    parts = [head, check(head)]
    for at in range(0, len(data), BLOCK):
        block = data[at : at + BLOCK]
        parts += [block, check(block)]
    return b"".join(parts)


def mend(data: bytes) -> bytes:
    """Whole frames, of whose user data octets were replaced, with the checks that they have now."""
    found, at = list[bytes](), 0
    while at < len(data):
        user = data[at + 2] - SHORTEST
        end = at + HEADER + user + 2 * -(-user // BLOCK)
        _, control, destination, source = _HEAD(data, at)
        blocks = range(at + HEADER, end, BLOCK + 2)
        user_data = b"".join(data[first : min(first + BLOCK, end - 2)] for first in blocks)
        found.append(frame(control, destination, source, user_data))
        at = end
    return b"".join(found)


class Splitter:
    """One direction. Keeps less than one frame."""

    __slots__ = ("_from_master", "_rest")

    def __init__(self, *, from_master: bool) -> None:
        self._from_master = from_master
        self._rest = b""

    def take(self, data: bytes | memoryview) -> list[Frame]:
        """Return the frames completed by ``data``. Raise BadDnp3."""
        buffer = self._rest + data if self._rest else bytes(data)
        self._rest = buffer  # should a frame be bad, it stays bad whatever follows
        frames: list[Frame] = []
        at, end = 0, len(buffer)
        while at < end:
            if not START.startswith(buffer[at : at + 2]):
                raise BadDnp3(f"a frame that starts with {buffer[at : at + 2].hex()}, not 0564 (9.2.4.1.1)")
            if at + HEADER > end or (after := at + self._size(buffer, at)) > end:
                break
            frames.append(_read(buffer[at:after]))
            at = after
        self._rest = buffer[at:]
        return frames

    def _size(self, buffer: bytes, at: int) -> int:
        """Of the frame whose header begins at byte ``at``, which is checked."""
        length, control = buffer[at + 2], buffer[at + 3]
        if check(buffer[at : at + 8]) != buffer[at + 8 : at + HEADER]:
            raise BadDnp3(f"header {buffer[at : at + HEADER].hex()} with a wrong check (9.2.4.3)")
        if length < SHORTEST:
            raise BadDnp3(f"a frame of length {length}, not {SHORTEST} to 255 (9.2.4.1.2)")
        if bool(control & FROM_MASTER) is not self._from_master:
            raise BadDnp3(f"control {control:#04x} in this direction (9.2.4.1.3.1)")
        user = length - SHORTEST
        _check_control(control, user)
        return HEADER + user + 2 * ((user + BLOCK - 1) // BLOCK)


def _check_control(control: int, user: int) -> None:
    function = control & 15
    if control & PRIMARY:
        counted = function in (TEST, CONFIRMED)
        known = function in PRIMARIES and bool(control & COUNT_VALID) is counted
        carries = function in USER_DATA
    else:
        known, carries = function in SECONDARIES, False
    if not known or carries is not bool(user):
        raise BadDnp3(f"control {control:#04x} with {user} octets of data (9.2.4.1.3)")


def _read(raw: bytes) -> Frame:
    _, control, destination, source = _HEAD(raw)
    parts = []
    for at in range(HEADER, len(raw), BLOCK + 2):
        block = raw[at : at + BLOCK + 2]
        if check(block[:-2]) != block[-2:]:
            raise BadDnp3(f"a block of {len(block) - 2} octets with a wrong check (9.2.4.3)")
        parts.append(block[:-2])
    return Frame(raw, control, destination, source, b"".join(parts))


def recognise(beginning: bytes) -> bool:
    """A master begins with a frame of its own; its header is checked where all of it has come."""
    if len(beginning) < 8 or not beginning.startswith(START) or beginning[2] < SHORTEST:
        return False
    if beginning[3] & (FROM_MASTER | PRIMARY) != FROM_MASTER | PRIMARY or beginning[3] & 15 not in PRIMARIES:
        return False
    return len(beginning) < HEADER or check(beginning[:8]) == beginning[8:HEADER]
