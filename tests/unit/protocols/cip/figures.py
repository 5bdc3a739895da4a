# SPDX-License-Identifier: Apache-2.0
"""What we read in the captures and what tshark reads there, message by message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from portineria.protocols.cip import INFO
from portineria.protocols.cip.message import Call
from portineria.protocols.cip.session import CipRequest
from portineria.protocols.inspection import Answer
from tests.corpus.tcp import connections
from tests.corpus.tshark import rows

PORT = 44818
NOT_AN_ERROR = {0x00, 0x06, 0x1E}  # success, partial transfer, and a bundle whose parts say their own
_FOLDER = "pcaps/enip_cip"
# Capture -> what of it is not read.
CAPTURES = {
    f"{_FOLDER}/cip_io_ndpi.pcap": "inputs and outputs over UDP, which is not carried",
    f"{_FOLDER}/cip_start_plc.pcap": "",
    f"{_FOLDER}/cip_stop_plc.pcap": "",
    f"{_FOLDER}/cl5000_lock_plc.pcap": "",
    f"{_FOLDER}/cl5000_remote_mode_change.pcap": "",
    f"{_FOLDER}/cl5000_software_upload.pcap": "",
    f"{_FOLDER}/controllogix_factorytalk_hmi.pcap": "",
    f"{_FOLDER}/enip_cip_example.pcap": "398 frames of inputs and outputs over UDP, which is not carried",
    f"{_FOLDER}/enip_ndpi.pcap": "",
    f"{_FOLDER}/enip_test_11.pcap": "",
    f"{_FOLDER}/multiple_service_packet.pcapng": "",
    f"{_FOLDER}/plant1_enip_cip.pcap": "",
    f"{_FOLDER}/set_attribute_single.pcapng": "",
}
PROOFS = {
    "refusal": "tests/integration/protocols/cip/test_pycomm3.py"
    "::test_a_refused_write_is_an_error_and_the_next_read_works",
    "endurance": "tests/integration/protocols/cip/test_pycomm3.py"
    "::test_ten_thousand_operations_after_a_refusal_need_no_new_connection",
    "differential": "tests/integration/protocols/cip/test_differential.py::test_what_we_call_harmless_writes_nothing",
}

Frames = dict[int, list[str]]  # frame -> commands of its messages, then services of its requests


@dataclass
class Reading:
    requests: list[CipRequest] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    frames: Frames = field(default_factory=dict)


@cache
def read(path: Path) -> Reading:
    reading = Reading()
    for connection in connections(path, (PORT,)):
        if connection.server[1] != PORT:
            continue
        inspection = INFO.begin()
        for piece in connection.pieces:
            messages: list[CipRequest | Answer] = []
            if piece.from_client:
                for asked in inspection.from_client(piece.data):
                    assert isinstance(asked, CipRequest)
                    assert inspection.forward(asked) == asked.data
                    reading.requests.append(asked)
                    messages.append(asked)
            else:
                messages += inspection.from_device(piece.data)
                reading.answers += [each for each in messages if isinstance(each, Answer)]
            if messages:
                reading.frames[piece.frame] = list(_told(messages))
    return reading


def _told(messages: list[CipRequest | Answer]) -> Iterator[str]:
    for each in messages:
        yield f"0x{int.from_bytes(each.data[:2], 'little'):04x}"
    for each in messages:
        if isinstance(each, CipRequest) and each.call:
            yield from services(each.call)


def services(call: Call) -> Iterator[str]:
    """Every service as it stands on the wire, wrappings included."""
    if call.sent_on and not call.calls:
        yield "0x52"
    if call.operation is None:
        yield "0x0a"
    else:
        yield call.operation.code[:4]
    for each in call.calls:
        yield from services(each)


@dataclass
class Seen:
    """By tshark: its frames, classes of requests, how many answers say no."""

    frames: Frames = field(default_factory=dict)
    classes: Counter[str] = field(default_factory=Counter)
    failures: int = 0


@cache
def tshark(path: Path) -> Seen:
    seen = Seen()
    fields = ("frame.number", "enip.command", "cip.service", "cip.class", "cip.genstat", "tcp.dstport")
    for number, commands, services_, classes, status, target in rows(path, fields, "tcp && enip"):
        up = target[0] == str(PORT)
        seen.frames[int(number[0])] = commands + (services_ if up else [])
        seen.failures += sum(int(each, 16) not in NOT_AN_ERROR for each in status)
        if up:
            seen.classes.update(f"0x{int(each, 16):02x}" for each in classes)
    return seen


def measure(path: Path) -> dict[str, int]:
    """Agreed are the messages of a frame in which we see the same commands and services in the same order."""
    ours, theirs = read(path).frames, tshark(path).frames
    # A command has four digits, a service two.
    pdus = {number: sum(len(each) == 6 for each in told) for number, told in theirs.items()}
    return {"pdus": sum(pdus.values()), "agreed": sum(pdus[each] for each in theirs if ours.get(each) == theirs[each])}
