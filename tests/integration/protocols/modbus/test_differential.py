# SPDX-License-Identifier: Apache-2.0
"""What we call harmless never writes in a real server, whatever the bytes and however they arrive."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from itertools import pairwise

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from portineria.protocols.inspection import Request
from portineria.protocols.modbus.frame import BadModbus
from portineria.protocols.modbus.inspection import ModbusInspection
from portineria.protocols.operation import Kind
from tests.integration.protocols.modbus.conftest import Device
from tests.unit.protocols.modbus.conversation import frame
from tests.unit.protocols.modbus.test_requests import EXAMPLES

EXAMPLES_TRIED = 5_000 if os.environ.get("PORTINERIA_DEEP") else 150
HARMLESS = {Kind.IDENTIFY, Kind.READ, Kind.SESSION}
QUESTION = frame("03 0000 0001", 0xFFFF, unit=1)
ANSWERED = QUESTION[:4] + bytes.fromhex("0005 01 03")
AGAIN_S, WAIT_S = 0.02, 1.0  # a server may have thrown away what it did not understand, with all that follows

units = st.sampled_from([0, 1, 2, 3, 247, 248, 255])
small = st.integers(0, 70).map(lambda number: f"{number:04x}")
bodies = st.one_of(
    st.builds(lambda code, first, count: f"{code:02x}{first}{count}", st.integers(1, 6), small, small),
    st.builds(lambda first, value: f"10{first}000102{value}", small, small),
    st.builds(lambda first, write, value: f"17{first}0001{write}000102{value}", small, small, small),
    st.sampled_from([row[0] for row in EXAMPLES]),
    st.binary(min_size=1, max_size=20).map(bytes.hex),
)
frames = st.builds(frame, bodies, st.integers(0, 0xFFFE), units)
# Headers that lie about their length, or hide a write behind a read.
odd = st.builds(
    lambda data, place, value: data[:place] + bytes([value]) + data[place + 1 :],
    frames,
    st.integers(2, 9),
    st.integers(0, 16),
)
streams = st.lists(st.one_of(frames, odd), min_size=1, max_size=6).map(b"".join)


def harmless(data: bytes) -> list[bytes]:
    """What would be forwarded, and nothing after bytes that end the connection."""
    inspection, passed = ModbusInspection(), list[bytes]()
    try:
        for at in range(len(data)):
            passed += [request.data for request in inspection.from_client(data[at : at + 1]) if reads(request)]
    except BadModbus:
        pass
    return passed


def reads(request: Request) -> bool:
    return all(operation.kind in HARMLESS for operation in request.operations)


def send(device: Device, segments: list[bytes]) -> None:
    """Each segment by itself; then the server has had its say, or has been given the time for it.

    It drops what arrives while it works on something else, hence the question again and again.
    """
    with device.connect() as connection:
        connection.settimeout(AGAIN_S)
        deadline, told = time.monotonic() + WAIT_S, b""
        with suppress(ConnectionError):
            for segment in segments:
                connection.sendall(segment)
            while ANSWERED not in told and time.monotonic() < deadline:
                connection.sendall(QUESTION)
                with suppress(TimeoutError):
                    if not (data := connection.recv(4096)):
                        break
                    told += data


def registers(device: Device) -> bytes:
    """All four tables of every unit, asked for on another connection."""
    told = b""
    with device.connect() as connection:
        for unit in (1, 2, 247):
            for code in (1, 2, 3, 4):
                connection.sendall(frame(f"{code:02x} 0000 0040", unit=unit))
                told += answer(connection)
    return told


def answer(connection: socket.socket) -> bytes:
    told = connection.recv(4096)
    while len(told) < 6 or len(told) < 6 + int.from_bytes(told[4:6], "big"):
        told += connection.recv(4096)
    return told


def segments(passed: list[bytes], together: bool, where: list[int]) -> list[bytes]:
    data = b"".join(passed)
    if not together:
        return passed
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in where)})
    return [data[start:end] for start, end in pairwise(places)]


def test_what_we_call_harmless_writes_nothing(device: Device) -> None:
    before = registers(device)

    @settings(max_examples=EXAMPLES_TRIED, suppress_health_check=[HealthCheck.too_slow])
    @given(streams, st.booleans(), st.lists(st.integers(0, 100), max_size=3))
    @example(frame("03 0000 0001") + frame("06 0001 0007"), True, [])
    @example(frame("03 0000 0001")[:-1] + frame("06 0001 0007"), True, [])
    @example(frame("17 0000 0001 0001 0001 02 0007", unit=1), True, [])
    def passes(data: bytes, together: bool, where: list[int]) -> None:
        send(device, segments(harmless(data), together, where))

    passes()
    assert device.writes() == []
    assert registers(device) == before
    assert len(device.reached()) > 100


def test_a_write_that_is_let_through_is_seen(device: Device) -> None:
    """The proof above is none if the server would not show what it was told to write."""
    before = registers(device)
    send(device, [frame("06 0001 0007", unit=1)])
    assert [(access["unit"], access["address"]) for access in device.writes()] == [(1, 1)]
    assert registers(device) != before
