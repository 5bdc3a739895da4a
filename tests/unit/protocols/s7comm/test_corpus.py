# SPDX-License-Identifier: Apache-2.0
"""Real captures: the same functions as tshark and Zeek see."""

from __future__ import annotations

from collections import Counter

import pytest

from portineria.protocols.operation import Kind
from portineria.protocols.s7comm import INFO
from tests.corpus import corpus_file
from tests.corpus.tcp import connections
from tests.unit.protocols.s7comm.figures import CAPTURES, PLUS, counted_by_tshark, read, unknown


@pytest.mark.parametrize(("capture", "why"), CAPTURES.items(), ids=CAPTURES)
def test_each_function_is_counted_as_tshark_counts_it(capture: str, why: str) -> None:
    """In both directions: transport units, ROSCTR, functions of jobs and of userdata."""
    path = corpus_file(capture)
    reading = read(path)
    assert reading.ended == []
    assert reading.counts() == counted_by_tshark(path)
    assert unknown(reading) == ({"s7comm-plus"} if why == PLUS else set())


# Zeek logs PDU references with their bytes swapped.
def rows(name: str) -> list[dict[str, str]]:
    lines = corpus_file(f"golden_icsnpp/{name}").read_text().splitlines()
    fields = next(line for line in lines if line.startswith("#fields")).split("\t")[1:]
    return [dict(zip(fields, line.split("\t"), strict=True)) for line in lines if not line.startswith("#")]


# What Zeek's log leaves out: a list that is continued (its parameter part has the long form), and errors without data.
@pytest.mark.parametrize(("name", "left_out"), [("s7ident", 0), ("snap7", 1), ("s7comm_plus", 0)])
def test_zeek_reads_the_same_requests(name: str, left_out: int) -> None:
    reading = read(corpus_file(f"pcaps/s7/{name}.pcap"))
    ours = Counter[tuple[int, int, str]]()
    for request in reading.requests:
        if request.data[5] == 0xF0 and request.data[7:8] == b"\x32":
            code = request.operations[0].code
            ours[request.data[8], int.from_bytes(request.data[11:13], "little"), code] += 1
    theirs = Counter[tuple[int, int, str]]()
    for row in rows(f"{name}/s7comm.log"):
        second = row["subfunction_code"]
        code = row["function_code"] + (f" {second}" if second != "-" else "")
        if row["is_orig"] == "T":
            theirs[int(row["rosctr_code"]), int(row["pdu_reference"]), code] += 1
    assert theirs - ours == Counter()
    assert (ours - theirs).total() == left_out


def test_zeek_reads_the_same_lists_and_blocks() -> None:
    reading = read(corpus_file("pcaps/s7/snap7.pcap"))
    told = {
        (int.from_bytes(request.data[11:13], "little"), str(target))
        for request in reading.requests
        for operation in request.operations
        for target in operation.targets
    }
    for row in rows("snap7/s7comm_read_szl.log"):
        if row["method"] == "Request":
            assert (int(row["pdu_reference"]), f"szl {row['szl_id']} {int(row['szl_index'], 16)}") in told
    names = {"System Data Block": "sdb", "Organization Block": "ob"}
    for row in rows("snap7/s7comm_upload_download.log"):
        if row["block_type"] != "-":
            target = f"block {names[row['block_type']]} {int(row['block_number'])}"
            assert (int(row["pdu_reference"]), target) in told


def test_zeek_reads_the_same_identity() -> None:
    (device,) = rows("s7ident/s7comm_known_devices.log")
    reading = read(corpus_file("pcaps/s7/s7ident.pcap"))
    identity = b"".join(
        value for answer in reading.answers for of in answer.values for value in of if isinstance(value, bytes)
    )
    for name in ("automation_system_name", "module_name", "module_serial"):
        assert device[name].encode() in identity


def test_every_answer_to_a_job_finds_it() -> None:
    """A capture that has everything: what is unasked is a job of the station or a report."""
    for name in ("s7ident", "s7_downloading_block_db1", "s7_reading_plc_status"):
        reading = read(corpus_file(f"pcaps/s7/{name}.pcap"))
        assert all(each.to or each.operations for each in reading.answers), name


def test_a_real_download_is_read_block_by_block() -> None:
    reading = read(corpus_file("pcaps/s7/s7_downloading_block_db1.pcap"))
    program = [each.operations[0] for each in reading.requests if each.operations[0].kind == Kind.PROGRAM_WRITE]
    assert [each.function for each in program] == [
        "request-download",
        *["download-block"] * 3,
        "download-ended",
        "activate-block",
    ]
    assert {str(target) for each in program for target in each.targets} == {"block db 1"}


@pytest.mark.parametrize("folder", ["modbus", "s7", "enip_cip", "dnp3", "opcua", "iec61850", "remote_access_shadow"])
def test_a_connection_of_s7_is_recognised_and_no_other(folder: str) -> None:
    """Of those whose beginning was captured. MMS has the port and the transport of S7, and other TSAPs."""
    seen = 0
    for path in sorted(corpus_file(f"pcaps/{folder}").glob("*.pcap*")):
        for connection in connections(path):
            first = next((piece.data for piece in connection.pieces if piece.from_client), b"")
            if connection.from_start and len(first) >= 8:
                assert INFO.recognise(first) is (folder == "s7" and connection.server[1] == 102), (
                    path.name,
                    first.hex(),
                )
                seen += 1
    assert seen
