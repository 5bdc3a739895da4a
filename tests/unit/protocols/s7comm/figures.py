# SPDX-License-Identifier: Apache-2.0
"""The captures of S7 through our decoder and through tshark, function by function."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from portineria.protocols.inspection import Answer, Request, Undecodable
from portineria.protocols.operation import Kind
from portineria.protocols.s7comm import INFO
from tests.corpus import tshark
from tests.corpus.tcp import Connection, Piece, connections
from tests.unit.protocols.s7comm.conversation import CONFIRM, job, told

PORT = 102
WHOLE = ""
PLUS = "S7comm-plus, which neither reads: compared as transport units only."
MIDDLE = "Begins in the middle: a connection and a setup of 960 bytes are put before it."
# Capture -> what to know of it; all agree in full.
CAPTURES = {
    "pcaps/s7/plant1_s7comm.pcap": MIDDLE,
    "pcaps/s7/plc_lldp_cotp.pcap": PLUS,
    "pcaps/s7/s7_1511_request_all_types.pcap": PLUS,
    "pcaps/s7/s7_downloading_block_db1.pcap": WHOLE,
    "pcaps/s7/s7_reading_plc_status.pcap": WHOLE,
    "pcaps/s7/s7comm_clean.pcap": MIDDLE,
    "pcaps/s7/s7comm_ndpi.pcap": WHOLE,
    "pcaps/s7/s7comm_plus.pcap": PLUS,  # one of its connections is plain S7, and agrees as such
    "pcaps/s7/s7ident.pcap": WHOLE,
    "pcaps/s7/snap7.pcap": MIDDLE,
    "pcaps/s7/step7_copy_ram_to_rom.pcap": MIDDLE,
    "pcaps/s7/step7_s300_auth_password.pcap": MIDDLE,
    "pcaps/s7/step7_s300_download.pcap": MIDDLE,
    "pcaps/s7/step7_s300_stop.pcap": MIDDLE,
    "pcaps/s7/tia_s300_flash_led.pcap": MIDDLE,
    "pcaps/s7/wincc_s300_alarm_rw.pcap": MIDDLE,
    "pcaps/s7/wincc_s400_production.pcap": MIDDLE,
}
TESTS = "tests/integration/protocols/s7comm"
PROOFS = {
    "refusal": f"{TESTS}/test_refusal.py::test_a_refused_write_leaves_the_client_working",
    "endurance": f"{TESTS}/test_refusal.py::test_a_refused_write_leaves_the_client_working",
    "differential": f"{TESTS}/test_differential.py::test_what_we_call_harmless_changes_nothing",
}
OPENING = bytes.fromhex("0300001611e00000000100c0010ac1020100c2020102")
# Unless told, tshark skips answers that came out of order; told, all that follows a gap. One capture has the first.
OUT_OF_ORDER = {"s7comm_clean.pcap": ("-o", "tcp.reassemble_out_of_order:TRUE")}
FIELDS = (
    "tcp.srcport",
    "cotp.type",
    "s7comm.header.rosctr",
    "s7comm.param.func",
    "s7comm.param.userdata.type",
    "s7comm.param.userdata.funcgroup",
    "s7comm.param.userdata.subfunc",
)
Counts = Counter[tuple[str, str, int]]  # direction, what is counted, its number


@dataclass(slots=True)
class Reading:
    requests: list[Request] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)  # why an inspected connection would have been

    def counts(self) -> Counts:
        found: Counts = Counter()
        for request in self.requests:
            _count(found, "request", request.data, request.operations[0].code)
        for answer in self.answers:
            _count(found, "answer", answer.data, "")
        return found


def measure(path: Path) -> dict[str, int]:
    """Messages that tshark sees, and how many of them we read as the same function in the same direction."""
    theirs, ours = counted_by_tshark(path), read(path).counts()
    wanted = Counter({key: number for key, number in theirs.items() if key[1] in ("job", "userdata")})
    return {"pdus": wanted.total(), "agreed": (wanted & ours).total()}


def _count(found: Counts, side: str, data: bytes, code: str) -> None:
    """The function of a request as the operation says it, of an answer as it stands on the wire."""
    found[side, "transport", data[5] >> 4] += 1
    if len(data) < 17 or data[5] != 0xF0 or data[7] != 0x32:
        return
    rosctr = data[8]
    found[side, "rosctr", rosctr] += 1
    parameter = data[19:] if rosctr in (2, 3) else data[17:]
    if rosctr == 7:
        numbers = [int(part, 16) for part in code.split()] if code else list(parameter[5:7])
        if parameter[:3] == b"\0\1\x12":
            found[side, "userdata", numbers[0] << 8 | numbers[1]] += 1
    elif data[13:15] != b"\0\0":
        number = int(code.split()[-1 if rosctr == 3 else 0], 16) if code else parameter[0]
        found[side, "job", number] += 1


@cache
def counted_by_tshark(path: Path) -> Counts:
    found: Counts = Counter()
    for row in tshark.rows(path, FIELDS, f"cotp && tcp.port == {PORT}", *OUT_OF_ORDER.get(path.name, ())):
        ports, transport, rosctr, functions, types, groups, numbers = (
            [int(cell, 0) for cell in cells] for cells in row
        )
        side = "answer" if ports[0] == PORT else "request"
        found.update((side, "transport", number) for number in transport)
        found.update((side, "rosctr", number) for number in rosctr)
        found.update((side, "job", number) for number in functions)
        if len(groups) == len(numbers):  # a report of another form has a group, as tshark sees it, and no function
            each = zip(types, groups, numbers, strict=True)
            found.update((side, "userdata", kind << 12 | group << 8 | number) for kind, group, number in each)
    return found


@cache
def read(path: Path) -> Reading:
    reading = Reading()
    for connection in connections(path, ports=[PORT]):
        if connection.server[1] == PORT:
            _read(connection, reading)
    return reading


def _read(connection: Connection, reading: Reading) -> None:
    inspection = INFO.begin()
    first = next((piece.data for piece in connection.pieces if piece.from_client), b"")
    begun = 0 if first[5:6] == b"\xe0" else 4
    setup = "f0000001000103c0"
    before = [(True, OPENING), (False, CONFIRM), (True, job(setup)), (False, told(setup))][:begun]
    pieces = [Piece(from_client, data, 0) for from_client, data in before] + connection.pieces
    for number, piece in enumerate(pieces):
        try:
            requests = inspection.from_client(piece.data) if piece.from_client else []
            answers = [] if piece.from_client else inspection.from_device(piece.data)
        except Undecodable as bad:
            reading.ended.append(str(bad))
            return
        for request in requests:
            assert inspection.forward(request) == request.data
        if number >= begun:
            reading.requests += requests
            reading.answers += answers


def unknown(reading: Reading) -> set[str]:
    return {each.function for request in reading.requests for each in request.operations if each.kind == Kind.UNKNOWN}
