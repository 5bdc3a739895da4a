# SPDX-License-Identifier: Apache-2.0
"""EtherNet/IP encapsulation: THE CIP NETWORKS LIBRARY Volume 2 (EtherNet/IP Adaptation of CIP), chapter 2."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from portineria.protocols.inspection import Undecodable

HEADER = struct.Struct("<HHII8sI")  # command, length, session handle, status, sender context, options: 2-3.1
MAX_BODY = 65511  # 2-3.2.2: the whole message is at most 65535 bytes
_ITEM = struct.Struct("<HH")  # type, length: 2-6.1
_COMMON = struct.Struct("<IHH")  # interface handle, time-out, item count: 2-4.7, 2-4.8


class Impossible(Undecodable):
    """Bytes that EtherNet/IP or CIP does not allow here."""

    code = "protocol.cip"


class Command(IntEnum):
    """2-3.2.1, table 2-3.2. The values below 0x63 but 0 and 4 are reserved for older systems."""

    NOP = 0x0000
    LIST_SERVICES = 0x0004
    LIST_IDENTITY = 0x0063
    LIST_INTERFACES = 0x0064
    REGISTER_SESSION = 0x0065
    UNREGISTER_SESSION = 0x0066
    SEND_RR_DATA = 0x006F
    SEND_UNIT_DATA = 0x0070
    INDICATE_STATUS = 0x0072
    CANCEL = 0x0073


class Item(IntEnum):
    """2-6.2, table 2-6.3."""

    NULL = 0x0000
    LIST_IDENTITY = 0x000C
    CONNECTED_ADDRESS = 0x00A1
    CONNECTED_DATA = 0x00B1
    UNCONNECTED_DATA = 0x00B2
    SOCKADDR_O_T = 0x8000
    SOCKADDR_T_O = 0x8001


SOCKADDR = 16  # bytes: 2-6.3.3


class Frame(NamedTuple):
    command: int
    session: int
    status: int
    context: bytes
    body: bytes
    whole: bytes


@dataclass(frozen=True, slots=True)
class Carried:
    """The CIP message within SendRRData or SendUnitData. ``connection``: its id; None when unconnected."""

    message: bytes
    connection: int | None = None
    sequence: int = 0


class Frames:
    """Cuts one direction of a connection into messages; keeps less than one of them."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes | memoryview) -> list[Frame]:
        """The messages that ``data`` completes. Raise Impossible, after which the connection is of no use."""
        self._rest += data
        buffer, found, at, end = self._rest, list[Frame](), 0, len(self._rest)
        while end - at >= HEADER.size:
            command, length, session, status, context, options = HEADER.unpack_from(buffer, at)
            if length > MAX_BODY or options:  # 2-3.2.6: options of 0, others are discarded
                raise Impossible(f"encapsulation of {length} bytes with options 0x{options:08x}")
            after = at + HEADER.size + length
            if after > end:
                break
            whole = bytes(buffer[at:after])
            found.append(Frame(command, session, status, context, whole[HEADER.size :], whole))
            at = after
        del self._rest[:at]
        return found


def frame(command: int, session: int, context: bytes, body: bytes = b"", status: int = 0) -> bytes:
    return HEADER.pack(command, len(body), session, status, context, 0) + body


def items(body: bytes, at: int = 6) -> list[tuple[int, bytes]]:
    """The Common Packet Format of ``body`` from ``at``, which fills it. Raise Impossible."""
    if len(body) < at + 2:
        raise Impossible("no room for an item count")
    count, at = int.from_bytes(body[at : at + 2], "little"), at + 2
    found = list[tuple[int, bytes]]()
    for _ in range(count):
        if len(body) < at + 4:
            raise Impossible(f"{count} items announced, {len(found)} there")
        kind, length = _ITEM.unpack_from(body, at)
        at += 4 + length
        if at > len(body):
            raise Impossible(f"item 0x{kind:04x} of {length} bytes goes beyond the message")
        found.append((kind, body[at - length : at]))
    if at != len(body):
        raise Impossible(f"{len(body) - at} bytes after the last item")
    return found


def carried(command: int, body: bytes) -> Carried | None:
    """What SendRRData or SendUnitData carries, or None where the items are not those of CIP (2-4.7, 2-4.8; 3-2)."""
    found = items(body)
    if int.from_bytes(body[:4], "little") or len(found) < 2:  # interface handle of CIP is 0: 2-4.7.1
        return None
    (first, address), (second, message) = found[:2]
    if any(kind not in (Item.SOCKADDR_O_T, Item.SOCKADDR_T_O) or len(data) != SOCKADDR for kind, data in found[2:]):
        return None
    if command == Command.SEND_RR_DATA:
        plain = first == Item.NULL and not address and second == Item.UNCONNECTED_DATA
        return Carried(message) if plain else None
    if first != Item.CONNECTED_ADDRESS or len(address) != 4 or second != Item.CONNECTED_DATA or len(message) < 2:
        return None
    return Carried(message[2:], int.from_bytes(address, "little"), int.from_bytes(message[:2], "little"))


def unconnected(message: bytes) -> bytes:
    """Body of SendRRData: 2-4.7 and 3-2.1.1."""
    head = _COMMON.pack(0, 0, 2) + _ITEM.pack(Item.NULL, 0)
    return head + _ITEM.pack(Item.UNCONNECTED_DATA, len(message)) + message


def connected(connection: int, sequence: int, message: bytes) -> bytes:
    """Body of SendUnitData: 2-4.8 and 3-2.2.1; the sequence count is CIP's, Volume 1, 3-6.1."""
    head = _COMMON.pack(0, 0, 2) + _ITEM.pack(Item.CONNECTED_ADDRESS, 4) + connection.to_bytes(4, "little")
    return head + _ITEM.pack(Item.CONNECTED_DATA, len(message) + 2) + sequence.to_bytes(2, "little") + message
