# SPDX-License-Identifier: Apache-2.0
"""Whatever comes: the same however it is split, nothing but BadDnp3, and what passes passes unchanged."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from portineria.protocols.dnp3 import INFO
from portineria.protocols.dnp3.link import BadDnp3, frame
from portineria.protocols.dnp3.transport import cut
from portineria.protocols.inspection import Request
from portineria.protocols.operation import MAX_VALUES
from tests.unit.protocols.dnp3.conversation import ASKS, MASTER, OUTSTATION, RESPONSE, TELLS, tells, with_sequence
from tests.unit.protocols.dnp3.test_requests import ASKED, IMPOSSIBLE, TOLD

GOOD = [bytes.fromhex(question) for question, _ in ASKED]
BAD = [bytes.fromhex(question) for question in IMPOSSIBLE]
SAID = [bytes.fromhex(said) for said, *_ in TOLD]
LINK = [frame(control, OUTSTATION, MASTER) for control in (0xC0, 0xC9, 0x80, 0x8B)]
cuts = st.lists(st.integers(0, 600), max_size=8)


def sent(parts: list[bytes], control: int = ASKS) -> bytes:
    """Fragments become frames; what is a frame already stays."""
    found = b""
    for place, part in enumerate(parts):
        found += part if part[:2] == b"\x05\x64" else b"".join(cut(part, control, OUTSTATION, MASTER, place))
    return found


good = st.lists(st.sampled_from(GOOD + LINK), max_size=8).map(sent)
streams = st.lists(st.sampled_from(GOOD + BAD + LINK), max_size=6).map(sent)


def pieces(data: bytes, where: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in where)})
    return [data[start:end] for start, end in pairwise(places)]


def taken(take: Callable[[bytes], list[Request]], parts: list[bytes]) -> tuple[list[object], bool]:
    """What was read, and whether it ended with a refusal."""
    found: list[object] = []
    try:
        for part in parts:
            found += [(request.operations, request.data, request.expects_answer) for request in take(part)]
    except BadDnp3:
        return found, True
    return found, False


@given(streams, cuts)
def test_requests_are_the_same_however_they_are_split(data: bytes, where: list[int]) -> None:
    whole, refused = taken(INFO.begin().from_client, [data])
    split, also_refused = taken(INFO.begin().from_client, pieces(data, where))
    single, _ = taken(INFO.begin().from_client, pieces(data, list(range(len(data)))))
    assert refused == also_refused
    assert (split if not refused else single[: len(split)]) == (whole if not refused else split)


@given(good, cuts)
def test_forwarding_everything_changes_nothing(data: bytes, where: list[int]) -> None:
    inspection = INFO.begin()
    requests = [request for part in pieces(data, where) for request in inspection.from_client(part)]
    assert b"".join(inspection.forward(request) for request in requests) == data


@given(st.lists(st.sampled_from(SAID), max_size=6), cuts)
def test_answers_are_the_same_however_they_are_split(said: list[bytes], where: list[int]) -> None:
    data = b"".join(tells(each, place) for place, each in enumerate(said))
    inspection = INFO.begin()
    for request in inspection.from_client(sent([bytes.fromhex("c0013c0106")])):
        inspection.forward(request)
    answers = [answer for part in pieces(data, where) for answer in inspection.from_device(part)]
    assert b"".join(answer.data for answer in answers) == data
    assert len(answers) == len(said)


@given(st.lists(st.tuples(st.sampled_from(GOOD), st.booleans()), max_size=40))
def test_both_sides_count_segments_without_a_gap(asked: list[tuple[bytes, bool]]) -> None:
    inspection, forwarded, told, answered = INFO.begin(), list[int](), list[int](), 0
    for place, (question, allowed) in enumerate(asked):
        (request,) = inspection.from_client(b"".join(cut(question, ASKS, OUTSTATION, MASTER, place)))
        if not allowed:
            told += [no[10] & 63 for no in [inspection.refuse(request).to_client] if no]
            continue
        data = inspection.forward(request)
        forwarded.append(data[10] & 63)
        if request.expects_answer:
            (answer,) = inspection.from_device(tells(with_sequence(RESPONSE, data[11]), answered))
            answered += 1
            told.append(answer.data[10] & 63)
            assert answer.data[11] & 15 == question[0] & 15
    assert forwarded == [place % 64 for place in range(len(forwarded))]
    assert told == [place % 64 for place in range(len(told))]


def bound(request: Request) -> None:
    for operation in request.operations:
        assert len(operation.values) <= MAX_VALUES + 1
        assert all(target.count > 0 for target in operation.targets)


fragments = st.builds(
    lambda control, code, rest: bytes((control, code)) + rest,
    st.sampled_from([0xC0, 0xC1]) | st.integers(0, 255),
    st.integers(0, 40) | st.integers(0, 255),
    st.binary(max_size=300) | st.sampled_from(GOOD).map(lambda each: each[2:]),
)
noise = st.lists(fragments | st.binary(max_size=40).map(lambda each: b"\x05\x64" + each), max_size=4)


@given(noise, noise, st.booleans())
def test_random_fragments_give_nothing_but_the_refusal(asked: list[bytes], told: list[bytes], allowed: bool) -> None:
    inspection = INFO.begin()
    with suppress(BadDnp3):
        for request in inspection.from_client(sent(asked)):
            bound(request)
            if allowed:
                inspection.forward(request)
            else:
                inspection.refuse(request)
        inspection.from_device(b"".join(b"".join(cut(each, TELLS, MASTER, OUTSTATION, 0)) for each in told))
    INFO.recognise(b"".join(asked))


changes = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=3)
STREAM = sent([*GOOD, *LINK])


@given(changes, st.integers(0, len(STREAM)), st.binary(max_size=64))
def test_changed_and_cut_streams_give_nothing_but_the_refusal(altered, end: int, rest: bytes) -> None:
    data = bytearray(STREAM)
    for place, value in altered:
        data[place % len(data)] = value
    for given_bytes in (bytes(data), bytes(data[:end]), bytes(data[end:]), rest):
        inspection = INFO.begin()
        with suppress(BadDnp3):
            for request in inspection.from_client(given_bytes):
                inspection.forward(request)
            inspection.from_device(given_bytes)
