# SPDX-License-Identifier: Apache-2.0
"""The captures of Modbus through our decoder and through tshark, function by function."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from portineria.protocols.inspection import Answer, Request
from portineria.protocols.modbus.frame import EXCEPTION, HEADER, LONGEST_UMAS, BadModbus, Splitter
from portineria.protocols.modbus.inspection import ModbusInspection
from tests.corpus import tshark
from tests.corpus.tcp import Connection, connections

PORT = 502
BEFORE = "The first answers belong to requests from before the capture."
# Capture -> why not every PDU of it agrees, empty where all do.
CAPTURES = {
    "pcaps/modbus/mb2_mixed_38hosts.pcap": BEFORE,
    "pcaps/modbus/modbus_crash.pcap": "",
    "pcaps/modbus/modbus_example.pcap": "File records with a byte count of 0: AP 6.14 and 6.15 want 7 and 9.",
    "pcaps/modbus/modbus_float.pcap": "",
    "pcaps/modbus/modbus_mei_encapsulated.pcap": "The answer is the echo of its request: malformed to tshark as well.",
    "pcaps/modbus/modbus_ndpi.pcap": "Four answers carry another transaction identifier than their requests.",
    "pcaps/modbus/modbus_read_write_multiple.pcap": "",
    "pcaps/modbus/modbus_test_2257.pcap": BEFORE,
    "pcaps/modbus/modbus_test_4901.pcap": BEFORE,
    "pcaps/modbus/plant1_modbustcp.pcap": BEFORE,
    "pcaps/modbus/quickdraw_modbus_part1.pcap": "An attack: answers nobody asked for, requests one byte too long.",
    "pcaps/modbus/umas_modicon.pcap": "",
}
TESTS = "tests/integration/protocols/modbus"
PROOFS = {
    "refusal": f"{TESTS}/test_refusal.py::test_a_refused_write_leaves_the_client_working",
    "endurance": f"{TESTS}/test_refusal.py::test_a_refused_write_leaves_the_client_working",
    "differential": f"{TESTS}/test_differential.py::test_what_we_call_harmless_writes_nothing",
}
IN_ORDER = ("-o", "tcp.reassemble_out_of_order:TRUE")  # else tshark leaves what came too early undissected
Counts = Counter[tuple[str, int]]  # ("request" or "answer", function code without the bit of an exception)


@dataclass(slots=True)
class Reading:
    """``refused``: direction and function of a frame that would have ended an inspected connection, and why."""

    requests: list[Request] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    refused: list[tuple[str, int, str]] = field(default_factory=list)

    def counts(self) -> Counts:
        counts: Counts = Counter(("request", request.data[HEADER]) for request in self.requests)
        counts.update(("answer", answer.data[HEADER] & ~EXCEPTION) for answer in self.answers)
        return counts


def measure(path: Path) -> dict[str, int]:
    """PDUs that tshark sees, and how many of them we read as the same function in the same direction."""
    theirs = counted_by_tshark(path)
    return {"pdus": theirs.total(), "agreed": (theirs & read(path).counts()).total()}


@cache
def counted_by_tshark(path: Path) -> Counts:
    counts: Counts = Counter()
    for ports, functions in tshark.rows(path, ("tcp.srcport", "modbus.func_code"), "modbus", *IN_ORDER):
        side = "answer" if ports[0] == str(PORT) else "request"
        counts.update((side, int(function)) for function in functions)
    return counts


@cache
def read(path: Path) -> Reading:
    """Who has the port is the device, even where it is the one that connects."""
    reading = Reading()
    for connection in connections(path, ports=[PORT]):
        if PORT in (connection.client[1], connection.server[1]):
            _read(connection, reading)
    return reading


def _read(connection: Connection, reading: Reading) -> None:
    """A refusal would have ended it; what follows is read all the same, from the next frame on."""
    inspection, rests = ModbusInspection(), {True: b"", False: b""}
    for piece in connection.pieces:
        asks = piece.from_client == (connection.server[1] == PORT)
        frames, rests[asks] = _cut(rests[asks] + piece.data)
        for frame in frames:
            try:
                Splitter().take(frame)
                if asks:
                    reading.requests += (requests := inspection.from_client(frame))
                    for request in requests:
                        inspection.forward(request)
                else:
                    reading.answers += inspection.from_device(frame)
            except BadModbus as bad:
                reading.refused.append(("request" if asks else "answer", frame[HEADER] & ~EXCEPTION, str(bad)))


def _cut(data: bytes) -> tuple[list[bytes], bytes]:
    """Frames, as their headers say, so that one refusal leaves the next one readable; what is no frame ends there."""
    frames, at = list[bytes](), 0
    while len(data) - at > HEADER:
        size = 6 + int.from_bytes(data[at + 4 : at + 6], "big")
        if size > 6 + LONGEST_UMAS or size <= HEADER:
            return [*frames, data[at:]], b""
        if at + size > len(data):
            break
        frames.append(data[at : at + size])
        at += size
    return frames, data[at:]
