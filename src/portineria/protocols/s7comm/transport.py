# SPDX-License-Identifier: Apache-2.0
"""ISO transport on top of TCP: packets (TPKT) of transport units (TPDU) that carry whole messages (TSDU).

Sources: RFC 1006, 6 (packet format); ISO 8073:1997, 13 (encoding of TPDUs), of which class 0 knows CR, CC, DR, DT, ER.
"""

import struct
from dataclasses import dataclass

from portineria.protocols.s7comm.errors import BadS7

_TPKT = struct.Struct(">BBH")  # version, reserved, length with these four bytes: RFC 1006, 6
_VERSION = 3
_MIN_PACKET = 7  # RFC 1006, 6: a header and the smallest TPDU
_MAX_TPDU = 8192  # ISO 8073, 13.3.4 b: the largest size that can be agreed on
_MAX_PACKET = _TPKT.size + _MAX_TPDU
MAX_MESSAGE = 8192  # ours: the largest S7 PDU is 960 bytes (S7-400, S7-1500); eight times as much is no message
_MAX_FRAGMENTS = 64  # ours: 960 bytes in TPDUs of 128 (the smallest size of ISO 8073, 13.3.4 b) are 8

CR, CC, DR, DC, DT, ER = 0xE0, 0xD0, 0x80, 0xC0, 0xF0, 0x70  # ISO 8073, 13.1, table 8
_KNOWN = frozenset({CR, CC, DR, DC, ER})
_LAST, _MORE = 0x80, 0x00  # ISO 8073, 13.7.3: end of message; class 0 does not number, so the rest is zero
_DATA = struct.Struct(">BBHBBB")  # TPKT, then length indicator 2, DT, end mark

_TPDU_SIZE, _CALLING, _CALLED = 0xC0, 0xC1, 0xC2  # ISO 8073, 13.3.4: parameters of CR and CC
_HARMLESS = frozenset({_TPDU_SIZE, _CALLING})
_SIZES = range(7, 14)  # 2^7 … 2^13
_NO_SIZE = 65531  # RFC 1006, 5: what holds when none is given
_SUBNET, _ROUTED_TSAP = 0xC6, 0xC7  # private parameters with which engineering tools ask for S7 routing
_ADDRESS_UNKNOWN = 3  # ISO 8073, 13.5.3 d: reason of a DR in class 0
_TEXT = frozenset(range(0x20, 0x7F))
_LOGO = b"MW"  # LOGO! and S7-200; two bytes that are text all the same
_CONNECTION = {1: "pg", 2: "op", 3: "basic"}  # kind of the resource in the first byte of an S7 TSAP


@dataclass(slots=True)
class Unit:
    """A control TPDU, or all of a message. ``body``: the TPDU, or what the DTs carried. ``raw``: as it came."""

    code: int
    body: bytes
    raw: bytes
    fragments: int = 1


@dataclass(frozen=True, slots=True)
class Opening:
    """What a CR or CC says. ``route``: hops behind the device. ``size``: of a TPDU, in bytes."""

    source: int
    called: str
    route: tuple[str, ...]
    size: int


class Transport:
    """One direction of one connection."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._raw: list[bytes] = []
        self._size = 0

    def receive(self, data: bytes | memoryview) -> list[Unit]:
        """Return the units completed by ``data``. Raise BadS7."""
        buffer = self._buffer
        buffer += data
        units: list[Unit] = []
        at, end = 0, len(buffer)
        while end - at >= _TPKT.size:
            version, reserved, length = _TPKT.unpack_from(buffer, at)
            if version != _VERSION or reserved:
                raise BadS7(f"packet begins {version:02x} {reserved:02x}, expected 03 00")
            if not _MIN_PACKET <= length <= _MAX_PACKET:
                raise BadS7(f"packet of {length} bytes, expected {_MIN_PACKET}..{_MAX_PACKET}")
            if end - at < length:
                break
            if unit := self._packet(bytes(buffer[at : at + length])):
                units.append(unit)
            at += length
        del buffer[:at]
        return units

    def _packet(self, raw: bytes) -> Unit | None:
        if raw[5] != DT:
            code = raw[5] & 0xF0 if raw[5] & 0xF0 in (CR, CC) else raw[5]  # credit in the low half: zero in class 0
            said, real = raw[4], len(raw) - 5
            if code not in _KNOWN or (said != real and not (code == DR and 6 <= said < real)):  # user data: 13.5.4
                raise BadS7(f"TPDU {raw[5]:02x} with length indicator {raw[4]} in a packet of {len(raw)} bytes")
            return Unit(code, raw[4:], raw)
        if raw[4] != 2 or raw[6] not in (_LAST, _MORE):
            raise BadS7(f"DT begins {raw[4]:02x} f0 {raw[6]:02x}, expected 02 f0 80 or 02 f0 00")
        if not self._parts and (raw[6] == _LAST or len(raw) == _MIN_PACKET):
            return Unit(DT, raw[7:], raw)  # an empty one without end mark is how STEP 7 says "I am here"
        return self._fragment(raw)

    def _fragment(self, raw: bytes) -> Unit | None:
        self._parts.append(raw[7:])
        self._raw.append(raw)
        self._size += len(raw) - 7
        if self._size > MAX_MESSAGE or len(self._parts) > _MAX_FRAGMENTS:
            raise BadS7(f"message of more than {MAX_MESSAGE} bytes or {_MAX_FRAGMENTS} fragments")
        if raw[6] == _MORE:
            return None
        unit = Unit(DT, b"".join(self._parts), b"".join(self._raw), len(self._parts))
        self._parts, self._raw, self._size = [], [], 0
        return unit


def data_packets(message: bytes, size: int) -> bytes:
    """``message`` in as few DTs as TPDUs of ``size`` bytes allow."""
    room = size - 3
    cuts = [message[at : at + room] for at in range(0, len(message), room)] or [b""]
    ends = [_MORE] * (len(cuts) - 1) + [_LAST]
    return b"".join(
        _DATA.pack(_VERSION, 0, len(cut) + 7, 2, DT, end) + cut for cut, end in zip(cuts, ends, strict=True)
    )


def disconnect(opening: Opening) -> bytes:
    """The DR with which a CR is refused: nobody of that name is here. ISO 8073, 6.6 and 13.5."""
    return struct.pack(">BBHBBHHB", _VERSION, 0, 11, 6, DR, opening.source, 0, _ADDRESS_UNKNOWN)


def read_opening(body: bytes) -> Opening:
    """Read a CR or a CC. Raise BadS7."""
    if len(body) < 7 or body[6] != 0:  # fixed part: ISO 8073, 13.3.3; class 0, no options
        raise BadS7(f"connection request {body[:7].hex()}, expected class 0")
    source = int.from_bytes(body[4:6], "big")
    parameters = _parameters(body)
    size = parameters.get(_TPDU_SIZE, b"")
    if size and (len(size) != 1 or size[0] not in _SIZES):
        raise BadS7(f"TPDU size {size.hex()}")
    called, route = _called(parameters.get(_CALLED, b""))
    for code, value in parameters.items():
        if code not in _HARMLESS and code != _CALLED:
            route += (_hop(code, value),)
    return Opening(source, called, route, 1 << size[0] if size else _NO_SIZE)


def _parameters(body: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 7
    while at < len(body):
        end = at + 2 + body[at + 1] if at + 1 < len(body) else len(body) + 1
        if end > len(body) or body[at] in found:
            raise BadS7(f"parameter at byte {at} of a connection request is cut or given twice")
        found[body[at]] = body[at + 2 : end]
        at = end
    return found


def _called(tsap: bytes) -> tuple[str, tuple[str, ...]]:
    """Name of the end point, and the hop to it if it is not in the station that holds the address."""
    if tsap == _LOGO or (len(tsap) != 2 and _TEXT.issuperset(tsap)):
        return tsap.decode("ascii"), ()
    if len(tsap) != 2:
        return tsap.hex(), (f"tsap {tsap.hex()}",)
    rack, slot = tsap[1] >> 5, tsap[1] & 0x1F
    name = f"{_CONNECTION.get(tsap[0], f'0x{tsap[0]:02x}')} rack {rack} slot {slot}"
    return name, (f"rack {rack}",) if rack else ()


def _hop(code: int, value: bytes) -> str:
    if code == _SUBNET:
        return f"subnet {value.hex()}"
    if code == _ROUTED_TSAP and len(value) == 2:
        return f"rack {value[1] >> 5} slot {value[1] & 0x1F}"
    return f"parameter 0x{code:02x} {value.hex()}"


def begins_as_s7(first: bytes) -> bool:
    """Whether ``first`` is a connection request that an S7 device would be meant by.

    MMS (IEC 61850) begins in the same way; one of its TSAPs begins with zero, none of S7's does.
    """
    if len(first) < 6 or first[0] != _VERSION or first[1] or first[5] != CR or first[4] < 6:
        return False
    if int.from_bytes(first[2:4], "big") != first[4] + 5:
        return False
    if len(first) < first[4] + 5:
        return True
    try:
        parameters = _parameters(first[4 : first[4] + 5])
    except BadS7:
        return False
    called, calling = parameters.get(_CALLED, b"\0"), parameters.get(_CALLING, b"\1")
    return called[:1] > b"\0" and calling[:1] > b"\0"
