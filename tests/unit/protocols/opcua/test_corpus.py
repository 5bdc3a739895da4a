# SPDX-License-Identifier: Apache-2.0
"""Real captures: the same messages as tshark and Zeek see."""

from __future__ import annotations

from collections import Counter

import pytest

from portineria.protocols.opcua import INFO
from portineria.protocols.operation import Kind
from tests.corpus import corpus_file, tshark
from tests.corpus.tcp import connections
from tests.unit.protocols.opcua.figures import CAPTURES, LATE, ORDERED, PORT, counted_by_tshark, read

MAINLOOP, GAP = "open62541_mainloop", "opcua_with_gap"
NUMBER, SERVICE, ANSWER = 26, 29, 48  # columns of Zeek's opcua_binary.log


@pytest.mark.parametrize(("capture", "why"), CAPTURES.items(), ids=CAPTURES)
def test_each_message_is_counted_as_tshark_counts_it(capture: str, why: str) -> None:
    """In both directions: type, chunk type, sequence number, request id, service; and nothing is renumbered."""
    path = corpus_file(capture)
    reading, theirs = read(path), counted_by_tshark(path)
    assert reading.counts() - theirs == Counter()
    assert (theirs - reading.counts()).total() == len(reading.refused) == (1 if why == LATE else 0)


@pytest.mark.parametrize("capture", ["pcaps/opcua/opcua_ndpi_read.pcap", "pcaps/opcua/opcua_with_gap.pcap"])
def test_nodes_that_are_read_are_those_that_tshark_reads(capture: str) -> None:
    """How many, in each request."""
    path = corpus_file(capture)
    ours = [
        len(operation.targets)
        for request in read(path).requests
        for operation in request.operations
        if operation.function == "read"
    ]
    theirs = [
        len(attributes)
        for (attributes,) in tshark.rows(path, ("opcua.AttributeId",), "opcua.servicenodeid.numeric == 631", *ORDERED)
    ]
    assert len(ours) > 20
    assert ours == theirs


@pytest.mark.parametrize("name", [MAINLOOP, GAP])
def test_services_are_those_that_zeek_logs(name: str) -> None:
    """As far as its log goes: at a gap that is none (segments sent again) it ends, and we go on."""
    lines = corpus_file(f"golden_icsnpp/{name}/opcua_binary.log").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    reading = read(corpus_file(f"pcaps/opcua/{name}.pcap"))
    ours = Counter[tuple[object, ...]](key[3:] for key in reading.counts().elements() if len(key) > 2)
    theirs = Counter[tuple[object, ...]]((int(row[NUMBER]), int(row[SERVICE])) for row in rows if row[SERVICE] != "-")
    theirs.update((int(row[NUMBER]), int(row[ANSWER])) for row in rows if row[ANSWER] != "-")
    assert theirs - ours == Counter()
    if name == MAINLOOP:
        assert ours == theirs
    assert theirs.total() == {MAINLOOP: 64, GAP: 3}[name]


def test_what_is_written_is_what_zeek_logs() -> None:
    rows = corpus_file(f"golden_icsnpp/{MAINLOOP}/opcua_binary_write.log").read_text().splitlines()
    theirs = [f"node ns={row[12]};s={row[14]}" for row in (line.split("\t") for line in rows) if len(row) > 14]
    ours = [
        (str(operation.targets[0]), operation.values)
        for request in read(corpus_file(f"pcaps/opcua/{MAINLOOP}.pcap")).requests
        for operation in request.operations
        if operation.function == "write"
    ]
    assert [place for place, _ in ours] == [place for place in theirs if "s=-" not in place]
    assert len(ours) == 2


def test_nothing_that_is_plain_is_unknown() -> None:
    for capture in CAPTURES:
        operations = [each for request in read(corpus_file(capture)).requests for each in request.operations]
        unknown = {each.function for each in operations if each.kind == Kind.UNKNOWN}
        assert unknown == ({"encrypted"} if "encrypted" in capture else set())
        assert {each.function for each in operations} <= {each.name for each in INFO.functions}


@pytest.mark.parametrize("folder", ["iec104", "modbus", "s7", "enip_cip", "dnp3", "opcua", "remote_access_shadow"])
def test_a_connection_of_opc_ua_is_recognised_and_no_other(folder: str) -> None:
    """Of those whose beginning was captured."""
    seen = 0
    for path in sorted(corpus_file(f"pcaps/{folder}").glob("*.pcap*")):
        for connection in connections(path):
            first = next((piece.data for piece in connection.pieces if piece.from_client), b"")
            if connection.from_start and len(first) >= 6:
                spoken = folder == "opcua" and connection.server[1] == PORT
                assert INFO.recognise(first) is spoken, (path.name, first.hex())
                seen += 1
    assert seen
