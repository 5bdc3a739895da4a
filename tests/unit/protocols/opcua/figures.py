# SPDX-License-Identifier: Apache-2.0
"""The captures of OPC UA through our decoder and through tshark, message by message."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, repeat
from pathlib import Path

from portineria.protocols.inspection import Answer, Request, Undecodable
from portineria.protocols.opcua import INFO
from portineria.protocols.opcua.binary import Reader
from portineria.protocols.opcua.services import service_of
from tests.corpus import tshark
from tests.corpus.tcp import Connection, connections
from tests.unit.protocols.opcua.conversation import sequence_at

PORT = 4840
LATE = "One connection began before the capture, of which only an answer is left: to nothing that was asked."
# Capture -> why not every message of it agrees, empty where all do.
CAPTURES = {
    "pcaps/opcua/opcua_ndpi_read.pcap": "",
    "pcaps/opcua/opcua_with_gap.pcap": "",
    "pcaps/opcua/open62541_browse_diag.pcapng": LATE,
    "pcaps/opcua/open62541_encrypted.pcapng": "",
    "pcaps/opcua/open62541_getendpoints.pcapng": "",
    "pcaps/opcua/open62541_mainloop.pcap": "",
    "pcaps/opcua/open62541_monitored_items.pcap": "",
    "pcaps/opcua/open62541_not_localhost.pcapng": "",
    "pcaps/opcua/python_opcua_minimal.pcap": "",
}
TESTS = "tests/integration/protocols/opcua"
PROOFS = {
    "refusal": f"{TESTS}/test_refusal.py::test_a_refused_write_leaves_the_client_working",
    "endurance": f"{TESTS}/test_refusal.py::test_a_refused_write_leaves_the_client_working",
    "differential": f"{TESTS}/test_differential.py::test_what_we_call_harmless_changes_nothing",
}
FIELDS = (
    "tcp.srcport",
    "opcua.transport.type",
    "opcua.transport.chunk",
    "opcua.security.seq",
    "opcua.security.rqid",
    "opcua.servicenodeid.numeric",
)
ORDERED = ("-o", "tcp.reassemble_out_of_order:TRUE")  # else it misses a session of opcua_with_gap, sent twice in parts
CHANNEL = {"open-channel": 446, "close-channel": 452}  # Part 6 annex A: services that are chunks of their own
Counts = Counter[tuple[object, ...]]  # side, type and chunk type; sequence number, request id, service where readable


@dataclass(slots=True)
class Reading:
    """``refused``: why an inspected connection would have ended, and after how many of its messages."""

    requests: list[Request] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    refused: list[tuple[str, int]] = field(default_factory=list)

    def counts(self) -> Counts:
        counts: Counts = Counter()
        secured = False  # one connection of a capture after the other
        for request in self.requests:
            operation = request.operations[0]
            if operation.function == "encrypted":
                counts["request", request.data[:4]] += 1
            elif operation.function == "hello":
                counts["request", b"HELF"] += 1
            else:
                service = CHANNEL.get(operation.function) or int(operation.code)
                counts["request", request.data[:4], *_numbers(request.data), service] += 1
        for answer in self.answers:
            kind = answer.data[:4]
            secured = (kind == b"OPNF" and answer.to is None) or (secured and kind != b"ACKF")
            if kind in (b"ACKF", b"ERRF") or secured:
                counts["answer", kind] += 1
            else:
                at = sequence_at(answer.data) + 8
                counts["answer", kind, *_numbers(answer.data), service_of(Reader(answer.data, at))] += 1
        return counts


def measure(path: Path) -> dict[str, int]:
    """Messages that tshark sees, and how many of them we read as the same in the same direction."""
    theirs = counted_by_tshark(path)
    return {"pdus": theirs.total(), "agreed": (theirs & read(path).counts()).total()}


def _numbers(data: bytes) -> tuple[int, int]:
    number, request = struct.unpack_from("<II", data, sequence_at(data))
    return number, request


@cache
def counted_by_tshark(path: Path) -> Counts:
    counts: Counts = Counter()
    for ports, kinds, chunks, numbers, requests, services in tshark.rows(path, FIELDS, "opcua", *ORDERED):
        side = "answer" if ports[0] == str(PORT) else "request"
        rest = chain(zip(numbers, requests, services, strict=False), repeat(()))
        for kind, chunk in zip(kinds, chunks, strict=True):
            numbered = kind in ("OPN", "MSG", "CLO")
            counts[side, f"{kind}{chunk}".encode(), *map(int, next(rest) if numbered else ())] += 1
    return counts


@cache
def read(path: Path) -> Reading:
    """Who has the port is the server."""
    reading = Reading()
    for connection in connections(path, ports=[PORT]):
        first = next((piece.data for piece in connection.pieces if piece.from_client), b"")
        if PORT in (connection.client[1], connection.server[1]) or INFO.recognise(first):
            _read(connection, reading)
    return reading


def _read(connection: Connection, reading: Reading) -> None:
    """Everything is forwarded; where bytes are lost or refused it ends."""
    inspection, before = INFO.begin(), len(reading.requests) + len(reading.answers)
    try:
        for piece in connection.pieces:
            if piece.lost:
                raise Undecodable("bytes are missing")
            if piece.from_client == (connection.server[1] == PORT):
                requests = inspection.from_client(piece.data)
                for request in requests:
                    assert inspection.forward(request) == request.data
                reading.requests += requests
            else:
                answers = inspection.from_device(piece.data)
                reading.answers += answers
    except Undecodable as bad:
        reading.refused.append((str(bad), len(reading.requests) + len(reading.answers) - before))
