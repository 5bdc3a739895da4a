# SPDX-License-Identifier: Apache-2.0
"""Whatever comes: the same however it is split, nothing but BadModbus, and what passes passes unchanged."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from portineria.protocols.inspection import Request
from portineria.protocols.modbus import INFO
from portineria.protocols.modbus.frame import LONGEST_UMAS, BadModbus
from portineria.protocols.modbus.function import FUNCTIONS
from portineria.protocols.modbus.inspection import ModbusInspection
from portineria.protocols.operation import MAX_VALUES, Kind
from tests.unit.protocols.modbus.conversation import frame
from tests.unit.protocols.modbus.test_inspection import MISMATCHED
from tests.unit.protocols.modbus.test_requests import EXAMPLES, IMPOSSIBLE

PDUS = [row[0] for row in EXAMPLES]
numbers = st.integers(0, 0xFFFF)
good = st.builds(frame, st.sampled_from(PDUS), numbers, st.integers(0, 255))
streams = st.lists(st.one_of(good, st.builds(frame, st.sampled_from(PDUS + IMPOSSIBLE), numbers)), max_size=6)
cuts = st.lists(st.integers(0, 400), max_size=8)


def pieces(data: bytes, where: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in where)})
    return [data[start:end] for start, end in pairwise(places)]


def taken(take: Callable[[bytes], list[Request]], parts: list[bytes]) -> tuple[list[object], bool]:
    """What was read, and whether it ended with a refusal."""
    found: list[object] = []
    try:
        for part in parts:
            found += [(request.operations, request.data) for request in take(part)]
    except BadModbus:
        return found, True
    return found, False


@given(streams, cuts)
def test_requests_are_the_same_however_they_are_split(frames: list[bytes], where: list[int]) -> None:
    data = b"".join(frames)
    whole, refused = taken(INFO.begin().from_client, [data])
    split, also_refused = taken(INFO.begin().from_client, pieces(data, where))
    single, _ = taken(INFO.begin().from_client, pieces(data, list(range(len(data)))))
    assert refused == also_refused
    assert (split if not refused else single[: len(split)]) == (whole if not refused else split)


@given(st.sampled_from([(row[0], row[1]) for row in EXAMPLES]), cuts, st.integers(0, 255))
def test_answers_are_the_same_however_they_are_split(example: tuple[str, str], where: list[int], unit: int) -> None:
    inspection = ModbusInspection()
    for request in inspection.from_client(frame(example[0], 1, unit) + frame(example[0], 2, unit)):
        inspection.forward(request)
    told = frame(example[1], 1, unit) + frame(example[1], 2, unit)
    answers = [answer for part in pieces(told, where) for answer in inspection.from_device(part)]
    assert b"".join(answer.data for answer in answers) == told
    assert answers[0].values == answers[1].values


@given(st.lists(good, max_size=8), cuts)
def test_forwarding_everything_changes_nothing(frames: list[bytes], where: list[int]) -> None:
    inspection = ModbusInspection()
    data = b"".join(frames)
    requests = [request for part in pieces(data, where) for request in inspection.from_client(part)]
    assert b"".join(inspection.forward(request) for request in requests) == data


def bound(request: Request) -> None:
    for operation in request.operations:
        assert len(operation.values) <= MAX_VALUES
        assert len(operation.targets) <= 255 // 7
    assert len(request.data) <= 6 + LONGEST_UMAS


@given(st.lists(st.binary(max_size=300), max_size=5), st.lists(st.binary(max_size=300), max_size=5))
def test_random_bytes_give_nothing_but_the_refusal(asked: list[bytes], told: list[bytes]) -> None:
    inspection = ModbusInspection()
    try:
        for part in asked:
            for request in inspection.from_client(part):
                bound(request)
                inspection.forward(request)
        for part in told:
            inspection.from_device(part)
    except BadModbus:
        pass
    INFO.recognise(b"".join(asked))


@given(st.integers(0, 255), st.binary(max_size=252), st.binary(max_size=252))
def test_random_bodies_of_every_function_give_nothing_but_the_refusal(code: int, asked: bytes, told: bytes) -> None:
    inspection = ModbusInspection()
    try:
        (request,) = inspection.from_client(frame(f"{code:02x}{asked.hex()}"))
        bound(request)
        if code not in FUNCTIONS:
            assert request.operations[0].kind == Kind.UNKNOWN
        inspection.forward(request)
        inspection.from_device(frame(f"{code:02x}{told.hex()}"))
    except BadModbus:
        pass


changes = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), min_size=1, max_size=3)
exchanges = st.sampled_from([(row[0], row[1]) for row in EXAMPLES] + MISMATCHED)


@given(exchanges, changes, changes, st.integers(0, 300))
def test_changed_and_cut_exchanges_give_nothing_but_the_refusal(exchange, in_request, in_answer, end: int) -> None:
    asked, told = (bytearray(frame(pdu)) for pdu in exchange)
    for data, altered in ((asked, in_request), (told, in_answer)):
        for place, value in altered:
            data[place % len(data)] = value
    inspection = ModbusInspection()
    try:
        for request in inspection.from_client(bytes(asked)):
            inspection.forward(request)
        inspection.from_device(bytes(told[: end % (len(told) + 1)]))
        inspection.from_device(bytes(told))
    except BadModbus:
        pass
