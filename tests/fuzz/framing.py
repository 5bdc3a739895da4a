# SPDX-License-Identifier: Apache-2.0
"""How each protocol puts arbitrary content into messages whose outside is right: checks, lengths and numbers.

Without it a fuzzer would spend its hours on the first checksum. What it makes up itself still comes as it is, too.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from portineria.protocols.dnp3.link import frame
from tests.unit.protocols.cip import conversation as cip
from tests.unit.protocols.dnp3 import conversation as dnp3
from tests.unit.protocols.iec104 import conversation as iec104
from tests.unit.protocols.opcua import conversation as opcua
from tests.unit.protocols.s7comm import conversation as s7comm

Said = tuple[bool, bytes]  # by the client?, bytes
Wrap = Callable[["Framing", bool, bytes], bytes]


@dataclass
class Framing:
    """Of one conversation. ``sent``: messages of the device and of the client that carry a number, so far."""

    protocol: str
    sent: list[int] = field(default_factory=lambda: [0, 0])

    def wrap(self, from_client: bool, content: bytes) -> bytes:
        return WRAPS[self.protocol](self, from_client, content)

    def number(self, from_client: bool, more: int = 1) -> int:
        """The next number of this side; ``more`` messages have one."""
        self.sent[from_client] += more
        return self.sent[from_client] - more

    def opening(self) -> list[Said]:
        """With which a conversation may begin, so that there is something to go on from."""
        self.sent = list(NUMBERED.get(self.protocol, (0, 0)))
        return OPENINGS[self.protocol]


def _modbus(framing: Framing, from_client: bool, content: bytes) -> bytes:
    """One octet says transaction and unit."""
    head, body = content[:1] or b"\0", content[1:]
    unit = bytes([head[0] >> 6])
    return bytes([0, head[0] & 7, 0, 0]) + (len(body) + 1).to_bytes(2, "big") + unit + body


def _s7comm(framing: Framing, from_client: bool, content: bytes) -> bytes:
    return s7comm.packet(content)


def _cip(framing: Framing, from_client: bool, content: bytes) -> bytes:
    """One octet says over which of two ways, and which of its numbers."""
    head, body = content[:1] or b"\0", content[1:]
    context = b"context" + bytes([head[0] & 3])
    if head[0] & 0x80:
        return cip.connected(0x1000 if from_client else 0x2000, head[0] & 0x7F, body, context)
    return cip.unconnected(body, context)


def _iec104(framing: Framing, from_client: bool, content: bytes) -> bytes:
    return iec104.frame(content[:249], framing.number(from_client))


def _dnp3(framing: Framing, from_client: bool, content: bytes) -> bytes:
    first = framing.number(from_client, max(1, -(-len(content) // 249)))
    parts = [content[at : at + 249] for at in range(0, max(len(content), 1), 249)]
    found = b""
    for place, part in enumerate(parts):
        octet = first + place & 63 | (0 if place else 0x40) | (0x80 if place == len(parts) - 1 else 0)
        control = dnp3.ASKS if from_client else dnp3.TELLS
        ends = (dnp3.OUTSTATION, dnp3.MASTER) if from_client else (dnp3.MASTER, dnp3.OUTSTATION)
        found += frame(control, *ends, bytes([octet]) + part)
    return found


def _opcua(framing: Framing, from_client: bool, content: bytes) -> bytes:
    """One octet says to which request it belongs; what answers takes that number, as servers do."""
    head, body = content[:1] or b"\0", content[1:]
    kind = b"MSGC" if head[0] & 0x80 else b"MSGF"
    return opcua.message(framing.number(from_client), body, kind, request=2 + (head[0] & 7))


CONNECTED = struct.pack("<BBBBIIHHIIIBB", 0xD4, 0, 0, 0, 0x1000, 0x2000, 7, 9, 99, 10000, 10000, 0, 0)
WRAPS: dict[str, Wrap] = {
    "modbus": _modbus,
    "s7comm": _s7comm,
    "cip": _cip,
    "iec104": _iec104,
    "dnp3": _dnp3,
    "opcua": _opcua,
}
OPENINGS: dict[str, list[Said]] = {
    "modbus": [],
    "s7comm": [
        (True, s7comm.CONNECT), (False, s7comm.CONFIRM),
        (True, s7comm.job("f0000001000103c0")), (False, s7comm.told("f0000001000103c0")),
    ],
    "cip": [(True, cip.unconnected(cip.forward_open())), (False, cip.unconnected(CONNECTED))],
    "iec104": [(True, iec104.START), (False, iec104.STARTED)],
    "dnp3": [],
    "opcua": [
        (True, opcua.hello()), (False, opcua.acknowledge()), (True, opcua.opening()), (False, opcua.opened_as()),
    ],
}  # fmt: skip
NUMBERED = {"opcua": (2, 2)}  # the next number of each side behind its opening
