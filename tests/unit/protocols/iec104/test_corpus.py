# SPDX-License-Identifier: Apache-2.0
"""Real captures: the same frames and ASDUs as tshark sees."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from portineria.protocols.iec104 import INFO
from portineria.protocols.operation import Kind
from tests.corpus import corpus_file, tshark
from tests.corpus.tcp import connections
from tests.unit.protocols.iec104.figures import CAPTURES, LOST, PORT, RANDOM, counted_by_tshark, measure, read


@pytest.mark.parametrize(("capture", "why"), CAPTURES.items(), ids=CAPTURES)
def test_each_frame_is_counted_as_tshark_counts_it(capture: str, why: str) -> None:
    """In both directions: format, function, type, cause, P/N, test, originator, common address, number, SQ."""
    path = corpus_file(capture)
    reading = read(path)
    theirs = counted_by_tshark(path)
    assert reading.counts() - theirs == Counter()
    assert (theirs - reading.counts()).total() == {LOST: 2, RANDOM: 8}.get(why, 0)
    assert len(reading.refused) == (2 if why == LOST else 0)


@pytest.mark.parametrize("capture", [name for name, why in CAPTURES.items() if why != RANDOM])
def test_addresses_are_those_that_tshark_reads(capture: str) -> None:
    path = corpus_file(capture)
    reading = read(path)
    ours = Counter[int]()
    operations = [each for request in reading.requests for each in request.operations]
    for answer in reading.answers:
        operations += answer.operations or ()
        if not answer.operations and answer.to and answer.data[0:1] == b"\x68" and not answer.data[2] & 1:
            operations += answer.to.operations
    for operation in operations:
        for target in operation.targets:
            first = target.first or 0
            ours.update(range(first, first + target.count))
    theirs = Counter[int]()
    for (addresses,) in tshark.rows(path, ("iec60870_asdu.ioa",), "iec60870_asdu"):
        theirs.update(int(each) for each in addresses)
    assert ours - theirs == Counter()
    assert (theirs - ours).total() == (1 if CAPTURES[capture] == LOST else 0)


def test_values_are_those_that_tshark_reads() -> None:
    path = corpus_file("pcaps/iec104/iec104_type50_setpoint.pcap")
    ours = [
        each.values[0]
        for of in (
            *(request.operations for request in read(path).requests),
            *(a.operations for a in read(path).answers),
        )
        for each in of
        if each.code in ("36", "50")
    ]
    theirs = [
        float(value)
        for ports, types, values in tshark.rows(
            path, ("tcp.srcport", "iec60870_asdu.typeid", "iec60870_asdu.float"), "iec60870_asdu"
        )
        for kind, value in zip(types, values, strict=True)
        if kind == "36" or (kind == "50" and ports[0] != str(PORT))
    ]
    assert len(ours) == len(theirs) > 5
    assert all(
        math.isclose(float(mine or 0), other, rel_tol=1e-5)
        for mine, other in zip(sorted(ours, key=lambda value: float(value or 0)), sorted(theirs), strict=True)
    )


def test_only_what_no_station_does_is_unknown() -> None:
    """One request of all captures: a command that says that it is a negative confirmation."""
    found = [
        operation.function
        for capture in CAPTURES
        for request in read(corpus_file(capture)).requests
        for operation in request.operations
        if operation.kind == Kind.UNKNOWN
    ]
    assert found == ["unknown-cause"]
    assert sum(measure(corpus_file(capture))["agreed"] for capture in CAPTURES) > 400


@pytest.mark.parametrize("folder", ["iec104", "modbus", "s7", "enip_cip", "dnp3", "opcua", "remote_access_shadow"])
def test_a_connection_of_iec_104_is_recognised_and_no_other(folder: str) -> None:
    """Of those whose beginning was captured."""
    seen = 0
    for path in sorted(corpus_file(f"pcaps/{folder}").glob("*.pcap*")):
        for connection in connections(path):
            first = next((piece.data for piece in connection.pieces if piece.from_client), b"")
            if connection.from_start and len(first) >= 6:
                assert INFO.recognise(first) is (folder == "iec104" and connection.server[1] == PORT), (
                    path.name,
                    first.hex(),
                )
                seen += 1
    assert seen
