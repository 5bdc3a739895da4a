# SPDX-License-Identifier: Apache-2.0
"""The captures of DNP3 through our decoder and through tshark, frame by frame and fragment by fragment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from portineria.protocols.dnp3 import INFO, link
from portineria.protocols.inspection import Answer, Request, Undecodable
from tests.corpus import tshark
from tests.corpus.tcp import Connection, connections

PORT = 20000
OCTET = "A request has an octet before it that belongs to no frame; to its two answers we have seen no request."
AGAIN = OCTET + " Of the outstation many segments were captured two or three times: tshark counts each."
ATTACK = "An attack: commands with qualifiers and numbers of objects that do not fit what follows; a frame of length 2."
ANNOUNCED = "An attack: two controls are announced, one follows."
# Capture -> why not every PDU of it agrees, empty where all do. The two parts of quickdraw are what dnp3_bro has.
CAPTURES = {
    "pcaps/dnp3/auth_challenge.pcap": "",
    "pcaps/dnp3/cold_restart.pcap": "",
    "pcaps/dnp3/crob_malformed_good_crc.pcap": ANNOUNCED,
    "pcaps/dnp3/dataset_exchange.pcap": "",
    "pcaps/dnp3/dnp3_bro.pcap": OCTET,
    "pcaps/dnp3/dnp3_malformed.pcap": ATTACK,
    "pcaps/dnp3/dnp3_ndpi.pcapng": AGAIN,
    "pcaps/dnp3/dnp3_value_8hosts.pcap": "",
    "pcaps/dnp3/file_read.pcap": "",
    "pcaps/dnp3/full_exchange.pcap": "",
}
MISSING = {OCTET: 2, AGAIN: 30, ATTACK: 64, ANNOUNCED: 1}
TESTS = "tests/integration/protocols/dnp3"
PROOFS = {
    "refusal": f"{TESTS}/test_refusal.py::test_a_refused_command_leaves_the_master_working",
    "endurance": f"{TESTS}/test_refusal.py::test_ten_thousand_reads_with_refusals_between_them",
    "differential": f"{TESTS}/test_differential.py::test_what_we_call_harmless_changes_nothing",
}
FIELDS = (
    "tcp.srcport",
    "dnp3.ctl",
    "dnp3.src",
    "dnp3.dst",
    "dnp3.tr.ctl",
    "dnp3.al.ctl",
    "dnp3.al.func",
    "dnp3.al.obj",
)
# Side and addresses, then the control octet of a frame of the link, or that of a fragment and its function.
Counts = Counter[tuple[object, ...]]


@dataclass(slots=True)
class Reading:
    requests: list[Request] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)

    def counts(self) -> Counts:
        counts: Counts = Counter(_key("request", each.data) for each in self.requests)
        counts.update(_key("answer", each.data) for each in self.answers)
        return counts


def _key(side: str, data: bytes) -> tuple[object, ...]:
    destination, source = int.from_bytes(data[4:6], "little"), int.from_bytes(data[6:8], "little")
    if data[2] == link.SHORTEST:
        return side, source, destination, data[3]
    return side, source, destination, data[11], data[12]


def measure(path: Path) -> dict[str, int]:
    """PDUs that tshark sees, and how many of them we read as the same in the same direction."""
    theirs = counted_by_tshark(path)
    return {"pdus": theirs.total(), "agreed": (theirs & read(path).counts()).total()}


@dataclass(frozen=True, slots=True)
class Seen:
    """``objects``: group and variation of each header."""

    counts: Counts
    objects: Counter[int]


def counted_by_tshark(path: Path) -> Counts:
    return seen_by_tshark(path).counts


@cache
def seen_by_tshark(path: Path) -> Seen:
    counts: Counts = Counter()
    found = Counter[int]()
    for row in tshark.rows(path, FIELDS, "tcp && dnp3"):
        side = "answer" if row[0][0] == str(PORT) else "request"
        numbers = [iter([int(cell, 0) for cell in cells]) for cells in row[1:]]
        controls, sources, targets, segments, applications, functions, objects = numbers
        found.update(objects)
        for control, source, target in zip(controls, sources, targets, strict=True):
            if control & 0x40 and control & 15 in (3, 4):
                if next(segments) & 0x80:
                    counts[side, source, target, next(applications, None), next(functions, None)] += 1
            else:
                counts[side, source, target, control] += 1
    return Seen(counts, found)


@cache
def read(path: Path) -> Reading:
    reading = Reading()
    for connection in connections(path, ports=[PORT]):
        if PORT in (connection.client[1], connection.server[1]):
            _read(connection, reading)
    return reading


def _read(connection: Connection, reading: Reading) -> None:
    inspection = INFO.begin()
    for piece in connection.pieces:
        asks = piece.from_client == (connection.server[1] == PORT)
        try:
            if asks:
                for request in inspection.from_client(piece.data):
                    assert inspection.forward(request) == request.data
                    reading.requests.append(request)
            else:
                reading.answers += inspection.from_device(piece.data)
        except Undecodable as bad:
            reading.refused.append(("request" if asks else "answer", piece.data.hex(), str(bad)))
            inspection = INFO.begin()
