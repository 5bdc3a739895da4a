# SPDX-License-Identifier: Apache-2.0
"""What we call harmless never changes a real outstation, whatever the bytes and however they arrive."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import pairwise

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from portineria.protocols.dnp3 import INFO
from portineria.protocols.dnp3.link import frame
from portineria.protocols.dnp3.transport import cut
from portineria.protocols.inspection import Undecodable
from portineria.protocols.operation import Kind
from tests.integration.protocols.controlled import Controlled
from tests.integration.protocols.dnp3.server import MASTER, OUTSTATION
from tests.unit.protocols.dnp3.conversation import ASKS, CROB

EXAMPLES_TRIED = 5_000 if os.environ.get("PORTINERIA_DEEP") else 200
HARMLESS = {Kind.IDENTIFY, Kind.READ, Kind.SESSION, Kind.DIAGNOSTIC}
SETPOINT = "290328 0100 0700 0000c842 00"
TIME = "320107 01 8b4d6e7c9b01"
OBJECTS = [
    bytes.fromhex(each)
    for each in (
        "3c0106",
        "3c0206 3c0306 3c0406",
        "1e0400 0707",
        "140006",
        "500100 0707 00",
        TIME,
        CROB,
        "0c0117 01 05 03 01 64000000 64000000 00",
        SETPOINT,
        "",
        "780307 01 000000000000",
        "ff0106",
        "0c0128 0200 0300",
    )
]
ACTS = [
    (b"\3", OBJECTS[6], b"\4", OBJECTS[6]),
    (b"\5", OBJECTS[6]),
    (b"\6", OBJECTS[7]),
    (b"\5", OBJECTS[8]),
    (b"\2", OBJECTS[5]),
    (b"\7", OBJECTS[3]),
    (b"\x0d", b""),
]
controls = st.integers(0xC0, 0xCF) | st.sampled_from([0xE0, 0xD0, 0x80, 0x00])
codes = st.sampled_from([0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 13, 20, 23, 24, 32, 34])
bodies = st.lists(st.sampled_from(OBJECTS), max_size=3).map(b"".join)
looks = st.builds(
    lambda control, body: bytes((control, 1)) + body,
    st.integers(0xC0, 0xCF),
    st.sampled_from([OBJECTS[0], OBJECTS[2], OBJECTS[3], OBJECTS[2] + OBJECTS[0]]),
)
fragments = st.one_of(
    looks,
    st.builds(lambda control, code, body: bytes((control, code)) + body, controls, codes, bodies),
    st.builds(lambda control, code, body: bytes((control, code)) + body, controls, codes, st.binary(max_size=20)),
)
ACT = bytes.fromhex("c005") + OBJECTS[6]
hidden = st.builds(lambda outer: outer + frame(ASKS, OUTSTATION, MASTER, b"\xc0" + ACT), fragments)
addresses = st.sampled_from([OUTSTATION, OUTSTATION, OUTSTATION, 11, 0xFFFF, 0xFFFD, 0xFFFC])
links = st.sampled_from([0xC0, 0xC9, 0xD2, 0xF2, 0x80, 0xC1])


def framed(fragment: bytes, to: int, segment: int, whole: bool) -> bytes:
    """In one segment, or in two."""
    if whole or len(fragment) < 2:
        return b"".join(cut(fragment, ASKS, to, MASTER, segment))
    half = len(fragment) // 2
    return frame(ASKS, to, MASTER, bytes((0x40 | segment,)) + fragment[:half]) + frame(
        ASKS, to, MASTER, bytes((0x80 | segment + 1 & 63,)) + fragment[half:]
    )


parts = st.one_of(
    st.builds(framed, looks, st.just(OUTSTATION), st.integers(0, 63), st.booleans()),
    st.builds(framed, fragments | hidden, addresses, st.integers(0, 63), st.booleans()),
    st.builds(lambda control, to: frame(control, to, MASTER), links, addresses),
    st.builds(lambda octet, body: frame(ASKS, OUTSTATION, MASTER, bytes((octet,)) + body), st.integers(0, 255), bodies),
    st.sampled_from([b"\5", b"\5\x64", b"\0"]),
)
streams = st.lists(parts, min_size=1, max_size=5).map(b"".join)
changes: st.SearchStrategy[list[tuple[int, int]]] = st.just([]) | st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=1
)
cuts = st.lists(st.integers(0, 200), max_size=3)
STATUS, ANSWERED = frame(0xC9, OUTSTATION, MASTER), frame(0x0B, MASTER, OUTSTATION)


def harmless(data: bytes, where: list[int]) -> bytes:
    """What would be forwarded; nothing after bytes that end it."""
    inspection, passed = INFO.begin(), b""
    with suppress(Undecodable):
        for start, end in pairwise(sorted({0, len(data), *(place % (len(data) + 1) for place in where)})):
            for request in inspection.from_client(data[start:end]):
                if all(operation.kind in HARMLESS for operation in request.operations):
                    passed += inspection.forward(request)
                else:
                    passed += inspection.refuse(request).to_device
    return passed


def send(outstation: Controlled, data: bytes) -> None:
    """Then the outstation has said that its link is alive, or has ended the connection."""
    with outstation.connect() as connection, suppress(ConnectionError):
        connection.sendall(data + STATUS)
        rest = b""
        while not rest.endswith(ANSWERED) and (came := connection.recv(4096)):
            rest += came


def test_what_we_call_harmless_changes_nothing(outstation: Controlled) -> None:
    @settings(max_examples=EXAMPLES_TRIED, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(streams, changes, cuts)
    @example(
        frame(ASKS, OUTSTATION, MASTER, b"\x40" + ACT[:9]) + framed(b"\xc1\x01\x3c\x01\x06", OUTSTATION, 1, True),
        [],
        [],
    )
    @example(framed(b"\xc0\x01" + ACT, OUTSTATION, 0, True), [], [])
    @example(framed(ACT, OUTSTATION, 63, False), [], [])
    @example(framed(ACT, 0xFFFF, 0, True), [], [])
    def passes(data: bytes, altered: list[tuple[int, int]], where: list[int]) -> None:
        changed = bytearray(data)
        for place, value in altered:
            changed[place % len(changed)] = value
        send(outstation, harmless(bytes(changed), where))

    passes()
    state = outstation.state()
    assert state["acts"] == []
    assert state["reads"] > EXAMPLES_TRIED // 10


def test_an_act_that_is_let_through_is_seen(outstation: Controlled) -> None:
    """The proof above is none if the outstation would not show what it was told to do."""
    for act in ACTS:
        data = b""
        for place in range(0, len(act), 2):
            data += framed(bytes((0xC0 + place // 2,)) + act[place] + act[place + 1], OUTSTATION, 0, place > 0)
        send(outstation, data)
    steps = [
        "select 12 3",
        "operate 12 3",
        "operate 12 3",
        "operate 12 5",
        "operate 41 7",
        "clock",
        "freeze",
        "restart",
    ]
    assert outstation.state()["acts"] == steps
