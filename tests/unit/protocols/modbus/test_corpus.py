# SPDX-License-Identifier: Apache-2.0
"""Real captures: the same functions as tshark and Zeek see, and the same values."""

from __future__ import annotations

from collections import Counter

import pytest

from portineria.protocols.modbus import INFO
from portineria.protocols.modbus.frame import HEADER
from portineria.protocols.operation import Kind
from tests.corpus import corpus_file
from tests.corpus.tcp import connections
from tests.unit.protocols.modbus.figures import CAPTURES, PORT, counted_by_tshark, read

# Zeek's names of the functions in modbus_example, with the function of ours.
ZEEK = {
    "READ_COILS": "read-coils",
    "READ_DISCRETE_INPUTS": "read-discrete-inputs",
    "READ_HOLDING_REGISTERS": "read-holding-registers",
    "READ_INPUT_REGISTERS": "read-input-registers",
    "WRITE_SINGLE_COIL": "write-single-coil",
    "WRITE_SINGLE_REGISTER": "write-single-register",
    "WRITE_MULTIPLE_COILS": "write-multiple-coils",
    "WRITE_MULTIPLE_REGISTERS": "write-multiple-registers",
}


@pytest.mark.parametrize(("capture", "why"), CAPTURES.items(), ids=CAPTURES)
def test_each_function_is_counted_as_tshark_counts_it(capture: str, why: str) -> None:
    """What only tshark counts, we refuse with a reason; what only we count does not exist."""
    path = corpus_file(capture)
    theirs, reading = counted_by_tshark(path), read(path)
    ours = reading.counts()
    assert ours - theirs == Counter()
    refused = Counter((side, code) for side, code, _ in reading.refused)
    assert theirs - ours - refused == Counter()
    assert bool(why) is (theirs != ours)


def values(cell: str) -> tuple[int, ...]:
    return tuple(int(value) for value in cell.split(",")) if cell != "-" else ()


def test_zeek_reads_the_same_addresses_and_values() -> None:
    rows = (corpus_file("golden_icsnpp/modbus_example/modbus_detailed.log")).read_text().splitlines()
    fields = next(row for row in rows if row.startswith("#fields")).split("\t")[1:]
    logged = [dict(zip(fields, row.split("\t"), strict=True)) for row in rows if not row.startswith("#")]
    reading = read(corpus_file("pcaps/modbus/modbus_example.pcap"))
    answers = {(int.from_bytes(each.data[:2], "big"), each.data[6]): each for each in reading.answers}
    compared = 0
    for row in logged:
        answer = answers.get((int(row["tid"]), int(row["unit"])))
        if row["func"] not in ZEEK or row["matched"] != "T" or answer is None or answer.to is None:
            continue
        (operation,) = answer.to.operations
        assert operation.function == ZEEK[row["func"]]
        # Zeek counts what is written; of a single one it counts the value (5, 6 have no quantity).
        assert (operation.targets[0].first, operation.targets[0].count) == (int(row["address"]), int(row["quantity"]))
        written, told = values(row["request_values"]), values(row["response_values"])
        if operation.values:
            assert tuple(int(value) for value in operation.values if isinstance(value, int)) == written
        elif not answer.error:
            assert tuple(int(value) for value in answer.values[0] if isinstance(value, int)) == told
        compared += 1
    assert compared >= 12


def test_programming_tools_are_read_function_by_function() -> None:
    """Unity reading a program out of a Modicon: nothing of it is unknown but its monitoring."""
    reading = read(corpus_file("pcaps/modbus/umas_modicon.pcap"))
    functions = Counter(request.operations[0].function for request in reading.requests)
    assert functions["umas-program-read"] == 53
    assert functions["umas-read-memory"] == 12
    unknown = {each.operations[0].function for each in reading.requests if each.operations[0].kind == Kind.UNKNOWN}
    assert unknown == {"umas-monitor"}
    assert len(reading.answers) == len(reading.requests) == 90


ATTACK = "quickdraw_modbus_part1"  # begins connections with what is no request


@pytest.mark.parametrize("folder", ["modbus", "s7", "enip_cip", "dnp3", "iec104", "opcua", "hart_ip", "omron_fins"])
def test_a_connection_of_modbus_is_recognised_and_no_other(folder: str) -> None:
    seen = 0
    for path in sorted(path for path in corpus_file(f"pcaps/{folder}").iterdir() if path.stem != ATTACK):
        for connection in connections(path, ports=[PORT]):
            first = next((piece.data for piece in connection.pieces if piece.from_client), b"")
            if len(first) > HEADER:
                assert INFO.recognise(first) is (connection.server[1] == PORT), (path.name, first[:20].hex())
                seen += 1
    assert seen
