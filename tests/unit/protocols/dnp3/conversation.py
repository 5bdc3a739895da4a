# SPDX-License-Identifier: Apache-2.0
"""What a master (1) and an outstation (10) say to each other, written in hex."""

from __future__ import annotations

from portineria.protocols.dnp3 import INFO
from portineria.protocols.dnp3.link import frame
from portineria.protocols.inspection import Answer, Inspection, Request
from portineria.protocols.operation import Operation

MASTER, OUTSTATION = 1, 10
ASKS, TELLS = 0xC4, 0x44  # unconfirmed user data
READ = "c0 01 3c0206 3c0306 3c0406 3c0106"  # classes 1, 2, 3, 0
RESPONSE = "c0 81 0000"
CROB = "0c0128 0100 0300 03 01 64000000 64000000 00"  # latch-on, binary output 3


def octets(text: str | bytes) -> bytes:
    return bytes.fromhex(text) if isinstance(text, str) else text


def asks(text: str | bytes, segment: int = 0, to: int = OUTSTATION, control: int = ASKS) -> bytes:
    """A request that fits into one frame."""
    return frame(control, to, MASTER, bytes((0xC0 | segment & 63,)) + octets(text))


def tells(text: str | bytes, segment: int = 0, of: int = OUTSTATION, control: int = TELLS) -> bytes:
    return frame(control, MASTER, of, bytes((0xC0 | segment & 63,)) + octets(text))


def confirmed_frames(text: str | bytes, segment: int, *, bit: bool) -> list[bytes]:
    """A request in as many frames as it needs, each to be confirmed by the link, the first with this FCB."""
    data, frames = octets(text), list[bytes]()
    for at in range(0, len(data), 249):
        octet = segment + len(frames) & 63 | (0 if at else 0x40) | (0x80 if at + 249 >= len(data) else 0)
        control = 0xF3 if bit ^ bool(len(frames) % 2) else 0xD3
        frames.append(frame(control, OUTSTATION, MASTER, bytes((octet,)) + data[at : at + 249]))
    return frames


def with_sequence(text: str | bytes, sequence: int) -> bytes:
    data = octets(text)
    return bytes((data[0] & 0xF0 | sequence & 15,)) + data[1:]


def one(inspection: Inspection, data: bytes) -> Request:
    (request,) = inspection.from_client(data)
    return request


def ask(text: str | bytes) -> tuple[Operation, ...]:
    return one(INFO.begin(), asks(text)).operations


def answer(question: str, text: str) -> Answer:
    inspection = INFO.begin()
    inspection.forward(one(inspection, asks(question)))
    (found,) = inspection.from_device(tells(text))
    return found


def passed(inspection: Inspection, data: bytes) -> bytes:
    return b"".join(inspection.forward(request) for request in inspection.from_client(data))
