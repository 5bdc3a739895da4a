# SPDX-License-Identifier: Apache-2.0
"""Whatever comes: the same however it is split, nothing but BadIec104, and what passes passes unchanged."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from portineria.protocols.iec104 import INFO
from portineria.protocols.iec104.apci import BadIec104
from portineria.protocols.inspection import Answer, Request
from portineria.protocols.operation import MAX_VALUES
from tests.unit.protocols.iec104.conversation import (
    START,
    STARTED,
    STOP,
    TEST,
    TESTED,
    acknowledge,
    cause,
    frame,
    numbers,
    started,
)
from tests.unit.protocols.iec104.test_requests import ASKED, IMPOSSIBLE, TOLD

GOOD = [bytes.fromhex(row[0]) for row in ASKED + TOLD]
BAD = [bytes.fromhex(each) for each in IMPOSSIBLE]
unnumbered = st.sampled_from([START, TEST, acknowledge(0)])
cuts = st.lists(st.integers(0, 600), max_size=8)


def numbered(parts: list[bytes]) -> bytes:
    """ASDUs become I frames in sequence; what is a frame already stays."""
    sent, found = 0, b""
    for part in parts:
        found += part if part[:1] == b"\x68" and len(part) == 6 else frame(part, sent)
        sent += not (part[:1] == b"\x68" and len(part) == 6)
    return found


good = st.lists(st.sampled_from(GOOD) | unnumbered, max_size=8).map(numbered)
streams = st.lists(st.sampled_from(GOOD + BAD) | unnumbered, max_size=8).map(numbered)


def pieces(data: bytes, where: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in where)})
    return [data[start:end] for start, end in pairwise(places)]


def taken(take: Callable[[bytes], list[Request]], parts: list[bytes]) -> tuple[list[object], bool]:
    """What was read, and whether it ended with a refusal."""
    found: list[object] = []
    try:
        for part in parts:
            found += [(request.operations, request.data, request.expects_answer) for request in take(part)]
    except BadIec104:
        return found, True
    return found, False


@given(streams, cuts)
def test_requests_are_the_same_however_they_are_split(data: bytes, where: list[int]) -> None:
    whole, refused = taken(started().from_client, [data])
    split, also_refused = taken(started().from_client, pieces(data, where))
    single, _ = taken(started().from_client, pieces(data, list(range(len(data)))))
    assert refused == also_refused
    assert (split if not refused else single[: len(split)]) == (whole if not refused else split)


@given(st.lists(st.sampled_from(GOOD), max_size=8).map(numbered), cuts)
def test_answers_are_the_same_however_they_are_split(data: bytes, where: list[int]) -> None:
    def told(answers: list[Answer]) -> list[object]:
        return [(each.data, each.error, each.operations) for each in answers]

    inspection = started()
    split = [answer for part in pieces(data, where) for answer in inspection.from_device(part)]
    assert told(split) == told(started().from_device(data))
    assert b"".join(answer.data for answer in split) == data


@given(good, cuts)
def test_forwarding_everything_changes_nothing(data: bytes, where: list[int]) -> None:
    inspection = started()
    requests = [request for part in pieces(data, where) for request in inspection.from_client(part)]
    assert b"".join(inspection.forward(request) for request in requests) == data


@given(st.lists(st.tuples(st.sampled_from(GOOD), st.booleans()), max_size=12))
def test_both_sides_see_numbers_without_a_gap(asked: list[tuple[bytes, bool]]) -> None:
    inspection, told, to_device = started(), list[bytes](), list[bytes]()
    for sent, (asdu, allowed) in enumerate(asked):
        (request,) = inspection.from_client(frame(asdu, sent, len(told)))
        if allowed:
            to_device.append(inspection.forward(request))
            (answer,) = inspection.from_device(frame(cause(asdu.hex(), 7), len(to_device) - 1, len(to_device)))
            told.append(answer.data)
        else:
            told.append(inspection.refuse(request).to_client)
    assert [numbers(data)[0] for data in to_device] == list(range(len(to_device)))
    assert [numbers(data) for data in told] == [(place, place + 1) for place in range(len(told))]


def bound(request: Request) -> None:
    for operation in request.operations:
        assert len(operation.values) <= MAX_VALUES
        assert len(operation.targets) <= 127
    assert len(request.data) <= 255


heads = st.sampled_from([b"", b"\x68", b"\x68\x04", START, frame(GOOD[0])])
noise = st.lists(st.builds(lambda head, rest: head + rest, heads, st.binary(max_size=300)), max_size=5)


@given(noise, noise)
def test_random_bytes_give_nothing_but_the_refusal(asked: list[bytes], told: list[bytes]) -> None:
    inspection = started()
    try:
        for part in asked:
            for request in inspection.from_client(part):
                bound(request)
                inspection.forward(request)
        for part in told:
            inspection.from_device(part)
    except BadIec104:
        pass
    INFO.recognise(b"".join(asked))


bodies = st.builds(
    lambda head, rest: bytes(head) + rest,
    st.tuples(*(st.integers(0, 255) for _ in range(6))),
    st.binary(max_size=243),
)


@given(bodies, bodies, st.booleans())
def test_random_asdus_of_every_type_give_nothing_but_the_refusal(asked: bytes, told: bytes, allowed: bool) -> None:
    inspection = started()
    try:
        (request,) = inspection.from_client(frame(asked))
        bound(request)
        refusal = inspection.refuse(request) if not allowed else inspection.forward(request)
        assert refusal
        inspection.from_device(frame(told))
    except BadIec104:
        pass


changes = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=3)
STREAM = numbered([*GOOD, TESTED, acknowledge(0), STOP])


@given(changes, changes, st.integers(0, len(STREAM)))
def test_changed_and_cut_streams_give_nothing_but_the_refusal(in_requests, in_answers, end: int) -> None:
    asked, told = bytearray(STREAM[end:] + STREAM[:end]), bytearray(STARTED + STREAM)
    for data, altered in ((asked, in_requests), (told, in_answers)):
        for place, value in altered:
            data[place % len(data)] = value
    inspection = started()
    try:
        for request in inspection.from_client(bytes(asked)):
            inspection.forward(request)
        inspection.from_device(bytes(told[:end]))
        inspection.from_device(bytes(told))
    except BadIec104:
        pass
