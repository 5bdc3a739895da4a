# SPDX-License-Identifier: Apache-2.0
"""The captures of IEC 60870-5-104 through our decoder and through tshark, ASDU by ASDU."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from pathlib import Path

from portineria.protocols.iec104.apci import MODULUS
from portineria.protocols.inspection import Answer, Inspection, Request, Undecodable
from tests.corpus import tshark
from tests.corpus.tcp import Connection, connections
from tests.unit.protocols.iec104.conversation import FLOAT, SINGLE, acknowledge, passed, started
from tests.unit.protocols.iec104.conversation import frame as frame_of

PORT = 2404
LOST = "Segments are missing: two frames acknowledge what the capture does not have."
RANDOM = "Repeated bytes were sent at random; tshark takes eight pieces of them for frames, most of them malformed."
# Capture -> why not every PDU of it agrees, empty where all do.
CAPTURES = {
    "pcaps/iec104/iec104_7hosts.pcap": "",
    "pcaps/iec104/iec104_baselines.pcap": LOST,
    "pcaps/iec104/iec104_diverse.pcap": "",
    "pcaps/iec104/iec104_ip_value.pcap": "",
    "pcaps/iec104/iec104_ndpi.pcap": "",
    "pcaps/iec104/iec104_single.pcapng": "",
    "pcaps/iec104/iec104_type50_setpoint.pcap": "",
    "pcaps/iec104/iec104_type63_4hosts.pcap": "",
    "pcaps/iec104/iec60870_5_104_ndpi.pcap": RANDOM,
}
TESTS = "tests/integration/protocols/iec104"
PROOFS = {
    "refusal": f"{TESTS}/test_refusal.py::test_a_refused_command_leaves_the_client_working",
    "endurance": f"{TESTS}/test_refusal.py::test_ten_thousand_reads_with_refusals_between_them",
    "differential": f"{TESTS}/test_differential.py::test_what_we_call_harmless_commands_nothing",
}
FIELDS = (
    "tcp.srcport",
    "iec60870_104.type",
    "iec60870_104.utype",
    "iec60870_asdu.typeid",
    "iec60870_asdu.causetx",
    "iec60870_asdu.nega",
    "iec60870_asdu.test",
    "iec60870_asdu.oa",
    "iec60870_asdu.addr",
    "iec60870_asdu.numix",
    "iec60870_asdu.sq",
)
Counts = Counter[tuple[object, ...]]  # side, then "S", "U" and its function, or "I" and the header of its ASDU


@dataclass(slots=True)
class Reading:
    """``refused``: side and bytes of a frame that would have ended an inspected connection, and why."""

    requests: list[Request] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)

    def counts(self) -> Counts:
        counts: Counts = Counter(_key("request", request.data) for request in self.requests)
        counts.update(_key("answer", answer.data) for answer in self.answers)
        return counts


def measure(path: Path) -> dict[str, int]:
    """PDUs that tshark sees, and how many of them we read as the same in the same direction."""
    theirs = counted_by_tshark(path)
    return {"pdus": theirs.total(), "agreed": (theirs & read(path).counts()).total()}


def _key(side: str, frame: bytes) -> tuple[object, ...]:
    if frame[2] & 1:
        return (side, "S") if frame[2] == 1 else (side, "U", frame[2] >> 2)
    number, structure, cause, originator = frame[6:10]
    station = int.from_bytes(frame[10:12], "little")
    bits = (bool(cause & 0x40), bool(cause & 0x80))
    return side, "I", number, cause & 0x3F, *bits, originator, station, structure & 0x7F, structure >> 7


@cache
def counted_by_tshark(path: Path) -> Counts:
    counts: Counts = Counter()
    for ports, formats, functions, *header in tshark.rows(path, FIELDS, "iec60870_104"):
        side = "answer" if ports[0] == str(PORT) else "request"
        unnumbered, asdus = iter(functions), zip_longest(*([_number(cell) for cell in cells] for cells in header))
        for each in (int(cell, 0) for cell in formats):
            if each == 0 or each == 2:
                counts[side, "I", *next(asdus, ())] += 1
            else:
                counts[(side, "S") if each == 1 else (side, "U", int(next(unnumbered), 0))] += 1
    return counts


def _number(cell: str) -> int:
    return {"True": 1, "False": 0}[cell] if cell in ("True", "False") else int(cell, 0)


@cache
def read(path: Path) -> Reading:
    """Who has the port is the controlled station."""
    reading = Reading()
    for connection in connections(path, ports=[PORT]):
        if PORT in (connection.client[1], connection.server[1]):
            _read(connection, reading)
    return reading


def _read(connection: Connection, reading: Reading) -> None:
    """A refusal would have ended it; what follows is read all the same, by a new one that goes on from there."""
    frames = _frames(connection)
    inspection, bases = _begun(frames)
    for place, (asks, frame) in enumerate(frames):
        moved = _moved(frame, bases[asks], bases[not asks])
        try:
            if asks:
                requests = inspection.from_client(moved)
                assert b"".join(inspection.forward(request) for request in requests) == moved
                reading.requests += requests
            else:
                answers = inspection.from_device(moved)
                assert b"".join(answer.data for answer in answers) == moved
                reading.answers += answers
        except Undecodable as bad:
            reading.refused.append(("request" if asks else "answer", frame.hex(), str(bad)))
            inspection, bases = _begun(frames[place + 1 :])


def _frames(connection: Connection) -> list[tuple[bool, bytes]]:
    """Whole ones, and for each whether the controlling station sent it."""
    found: list[tuple[bool, bytes]] = []
    rests = {True: b"", False: b""}
    for piece in connection.pieces:
        asks = piece.from_client == (connection.server[1] == PORT)
        buffer = (b"" if piece.lost else rests[asks]) + piece.data
        at = 0
        if buffer[:1] != b"\x68":  # it begins in the middle of a frame: tshark goes on with the next segment, too
            buffer = b""
        while at + 2 <= len(buffer) and (after := at + 2 + buffer[at + 1]) <= len(buffer):
            found.append((asks, buffer[at:after]))
            at = after
        rests[asks] = buffer[at:]
    return found


def _begun(frames: list[tuple[bool, bytes]]) -> tuple[Inspection, dict[bool, int]]:
    """An inspection of a connection from here on, and what is subtracted from the numbers of each side.

    That is what the other side acknowledges first; what was sent by then is sent before.
    """
    inspection, bases = started(), {}
    for side in (True, False):
        sent = next((_sent(each) for asks, each in frames if asks is side and _is_numbered(each)), None)
        told = next((_received(each) for asks, each in frames if asks is not side and _acknowledges(each)), None)
        known = [each for each in (sent, told) if each is not None]
        bases[side] = known[0] if known else 0
        if sent is not None and told is not None and (sent - told) % MODULUS < MODULUS // 2:
            bases[side] = told
        for number in range(((bases[side] if sent is None else sent) - bases[side]) % MODULUS):
            if side:
                passed(inspection, frame_of(SINGLE, number))
            else:
                inspection.from_device(frame_of(FLOAT, number))
    return inspection, bases


def _moved(frame: bytes, sent: int, received: int) -> bytes:
    if _is_numbered(frame):
        return frame_of(frame[6:], _sent(frame) - sent, _received(frame) - received)
    return acknowledge(_received(frame) - received) if _acknowledges(frame) else frame


def _is_numbered(frame: bytes) -> bool:
    return len(frame) > 6 and not frame[2] & 1


def _acknowledges(frame: bytes) -> bool:
    return _is_numbered(frame) or (len(frame) == 6 and frame[2] == 1)


def _sent(frame: bytes) -> int:
    return int.from_bytes(frame[2:4], "little") >> 1


def _received(frame: bytes) -> int:
    return int.from_bytes(frame[4:6], "little") >> 1
