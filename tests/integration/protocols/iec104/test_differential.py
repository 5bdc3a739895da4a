# SPDX-License-Identifier: Apache-2.0
"""What we call harmless never commands a real station, whatever the bytes and however they arrive."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from itertools import pairwise

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from portineria.protocols.inspection import Undecodable
from portineria.protocols.operation import Kind
from tests.integration.protocols.controlled import Controlled
from tests.unit.protocols.iec104.conversation import START, STARTED, TEST, TESTED, acknowledge, frame, started

EXAMPLES_TRIED = 5_000 if os.environ.get("PORTINERIA_DEEP") else 300
HARMLESS = {Kind.IDENTIFY, Kind.READ, Kind.SESSION, Kind.DIAGNOSTIC}
TIME = bytes.fromhex("c35a0f0b17081a")
# Types and the elements that each wants; some others, which belong to none.
ELEMENTS = {
    **dict.fromkeys((45, 46, 47), b"\1"),
    **dict.fromkeys((48, 49), b"\1\0\0"),
    50: b"\0\0\0\0\0",
    51: b"\1\0\0\0",
    **dict.fromkeys((58, 59, 60), b"\1" + TIME),
    **dict.fromkeys((61, 62), b"\1\0\0" + TIME),
    63: b"\0\0\0\0\0" + TIME,
    64: b"\1\0\0\0" + TIME,
    100: b"\x14",
    101: b"\5",
    102: b"",
    103: TIME,
    104: b"\xaa\x55",
    105: b"\1",
    107: b"\0\0" + TIME,
    13: b"\0\0\0\0\0",
    1: b"\1",
    122: b"\1\0\0\1",
    200: b"\1",
}
types = st.sampled_from(list(ELEMENTS))
stations, objects = st.sampled_from([47, 47, 47, 0xFFFF, 1]), st.integers(99, 114)


def written(kind: int, of: int, structure: int, cause: int, station: int, address: int) -> bytes:
    """An ASDU of the type ``kind``, with the elements of the type ``of``."""
    head = bytes((kind, structure, cause, 0)) + station.to_bytes(2, "little") + address.to_bytes(3, "little")
    return head + ELEMENTS[of] * max(1, min(structure & 0x7F, 8))


causes = st.sampled_from([6, 6, 6, 5, 7, 8, 3, 13, 0x46, 0x86]) | st.integers(0, 255)
asdus = st.one_of(
    types.flatmap(lambda kind: st.builds(written, st.just(kind), st.just(kind), st.just(1), causes, stations, objects)),
    st.builds(written, types, types, st.sampled_from([1, 2, 0x81, 0x82, 0]), causes, stations, objects),
)
hidden = st.builds(lambda outer, inner: outer + frame(inner), asdus, asdus)  # a frame within an ASDU
parts = st.one_of(
    asdus, asdus, hidden, st.sampled_from([acknowledge(0), TEST, TESTED, b"\x68", b"\x68\x03\x01\x00\x00"])
)
cuts = st.lists(st.integers(0, 200), max_size=3)
QUESTION, ANSWER = bytes.fromhex("660105002f000b0000"), bytes.fromhex("0d0105002f00")


def stream(given_parts: list[bytes]) -> bytes:
    sent, found = 0, b""
    for part in given_parts:
        if part[:1] == b"\x68":
            found += part
        else:
            found += frame(part, sent)
            sent += 1
    return found


streams = st.lists(parts, min_size=1, max_size=5).map(stream)


def harmless(data: bytes, where: list[int]) -> tuple[bytes, int]:
    """What would be forwarded, byte by byte as it came, and how many I frames; nothing after bytes that end it."""
    inspection, passed, sent = started(), b"", 0
    with suppress(Undecodable):
        for start, end in pairwise(sorted({0, len(data), *(place % (len(data) + 1) for place in where)})):
            for request in inspection.from_client(data[start:end]):
                if all(operation.kind in HARMLESS for operation in request.operations):
                    passed += inspection.forward(request)
                    sent += not request.data[2] & 1
                else:
                    passed += inspection.refuse(request).to_device
    return passed, sent


def send(station: Controlled, data: bytes, sent: int, where: list[int]) -> None:
    """In pieces; then the station has answered a question, or has ended the connection."""
    with station.connect() as connection:
        connection.sendall(START)
        assert connection.recv(6) == STARTED
        data += frame(QUESTION, sent)
        with suppress(ConnectionError):
            for start, end in pairwise(sorted({0, len(data), *(place % len(data) for place in where)})):
                connection.sendall(data[start:end])
            answered(connection)


def answered(connection: socket.socket) -> None:
    """Until the requested value came (type 13, cause 5) or the end. All is acknowledged: the station's window is 12."""
    rest, received = b"", 0
    while data := connection.recv(4096):
        rest += data
        while len(rest) >= 6 and len(rest) >= 2 + rest[1]:
            came, rest = rest[: 2 + rest[1]], rest[2 + rest[1] :]
            received += not came[2] & 1
            if came[6:12] == ANSWER:
                return
        connection.sendall(acknowledge(received))


def test_what_we_call_harmless_commands_nothing(station: Controlled) -> None:
    before = station.state()

    @settings(max_examples=EXAMPLES_TRIED, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(streams, cuts)
    @example(stream([written(102, 102, 1, 5, 47, 11) + frame(written(45, 45, 1, 6, 47, 100))]), [])
    @example(stream([written(100, 45, 1, 6, 47, 0), written(45, 45, 1, 6, 47, 100)]), [20])
    @example(stream([written(45, 45, 1, 3, 47, 100), written(45, 45, 1, 0x46, 47, 100)]), [])
    @example(stream([written(103, 103, 1, 6, 47, 0)]), [])
    def passes(data: bytes, where: list[int]) -> None:
        passed, sent = harmless(data, where)
        send(station, passed, sent, where)

    passes()
    after = station.state()
    assert (before["acts"], after["acts"]) == ([], [])
    assert after["reached"]["102"] >= EXAMPLES_TRIED * 3 // 4  # the station ended the other connections before


def test_an_act_that_is_let_through_is_seen(station: Controlled) -> None:
    """The proof above is none if the station would not show what it was told to do."""
    for place, kind in enumerate((*range(45, 52), *range(58, 65))):
        send(station, frame(written(kind, kind, 1, 6, 47, 100 + place)), 1, [])
    send(station, frame(written(103, 103, 1, 6, 47, 0)), 1, [])
    acts = station.state()["acts"]
    assert {"command 100", "command 105", "clock"} <= set(acts)
    assert len(acts) >= 8
