# SPDX-License-Identifier: Apache-2.0
"""What we call harmless never changes a real server, whatever the bytes and however they arrive."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from itertools import pairwise

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from portineria.protocols.inspection import Inspection, Request, Undecodable
from portineria.protocols.operation import Kind
from tests.integration.protocols.controlled import Controlled
from tests.unit.protocols.s7comm.conversation import CONNECT, job, message, opened, packet, told, userdata

EXAMPLES_TRIED = 5_000 if os.environ.get("PORTINERIA_DEEP") else 300
HARMLESS = {Kind.IDENTIFY, Kind.READ, Kind.SESSION, Kind.DIAGNOSTIC}
SETUP = job("f0000001000103c0")
QUESTION = job("0401120a10020001000184000000", reference=0xFFFE)
READ = message(1, "0401120a10020001000184000000")
WRITE = message(1, "0501120a10020002000184000000", "00040010dead")
STOP = message(1, "290000000000 09 505f50524f4752414d")
CLOCK = "00192608231145120001"
DOWNLOAD = "1a00010000000000 09 5f3041303030303150 0d 31303030303136303030303136"

codes = st.sampled_from([0x04, 0x05, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F, 0x28, 0x29, 0xF0])
anys = st.builds(
    lambda transport, count, area, address: f"120a10{transport:02x}{count:04x}0001{area:02x}{address:06x}",
    st.sampled_from([1, 2, 4, 8, 0x1C, 0x1D]),
    st.integers(0, 4),
    st.sampled_from([0x82, 0x83, 0x84, 0x1C, 0x1D]),
    st.integers(0, 300),
)
# Addresses that we read as names, with a whole message hidden in them.
hidden = st.sampled_from([READ, WRITE, STOP]).map(lambda each: f"12{len(each) + 1:02x}b2{each.hex()}")
jobs = st.builds(
    lambda code, items, data: message(1, f"{code:02x}{len(items):02x}{''.join(items)}", data.hex()),
    codes,
    st.lists(anys | hidden, max_size=4),
    st.just(b"") | st.binary(max_size=12) | st.just(bytes.fromhex("00040008ff")),
)
groups = st.builds(
    lambda kind, group, function, method, payload: userdata(group, function, payload, kind=kind, method=method)[7:],
    st.sampled_from([0x00, 0x40, 0x80]),
    st.integers(0, 0x3F),
    st.integers(0, 8),
    st.sampled_from([0x11, 0x12]),
    st.sampled_from(["", "00110000", CLOCK, "3041", "3041303030303141"]),
)
fixed = st.sampled_from([READ, WRITE, STOP, message(1, DOWNLOAD), told("1b00", "001000fb" + "55" * 16)[7:]])
odd = st.builds(
    lambda data, place, value: data[: place % len(data)] + bytes((value,)) + data[place % len(data) + 1 :],
    jobs | groups | fixed,
    st.integers(0, 40),
    st.integers(0, 255),
)
bodies = jobs | groups | fixed | odd


def fragments(body: bytes, places: list[int]) -> bytes:
    cuts = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    ends = list(pairwise(cuts))
    return b"".join(packet(body[start:end], last=end == len(body)) for start, end in ends)


cut = st.lists(st.integers(0, 60), max_size=3)
streams = st.lists(st.builds(fragments, bodies, cut), min_size=1, max_size=5).map(b"".join)


def harmless(data: bytes) -> bytes:
    """What would be forwarded, and nothing after bytes that end the connection."""
    inspection: Inspection = opened()
    passed = b""
    with suppress(Undecodable):
        for at in range(len(data)):
            for request in inspection.from_client(data[at : at + 1]):
                passed += inspection.forward(request) if looks(request) else b""
    return passed


def looks(request: Request) -> bool:
    return all(operation.kind in HARMLESS for operation in request.operations)


def send(station: Controlled, data: bytes, places: list[int]) -> None:
    """In pieces; then the server has answered a question, or has ended the connection."""
    with station.connect() as connection:
        for opening in (CONNECT, SETUP):
            connection.sendall(opening)
            receive(connection)
        with suppress(ConnectionError):
            for start, end in pairwise(sorted({0, len(data), *(place % (len(data) + 1) for place in places)})):
                connection.sendall(data[start:end])
            connection.sendall(QUESTION)
            while (answer := receive(connection)) and answer[11:13] != b"\xff\xfe":
                pass


def receive(connection: socket.socket) -> bytes:
    """One packet; nothing at the end of the connection."""
    found = b""
    while len(found) < 4 or len(found) < struct.unpack_from(">H", found, 2)[0]:
        wanted = struct.unpack_from(">H", found, 2)[0] if len(found) >= 4 else 4
        if not (data := connection.recv(wanted - len(found))):
            return b""
        found += data
    return found


def test_what_we_call_harmless_changes_nothing(station: Controlled) -> None:
    before = station.state()

    @settings(max_examples=EXAMPLES_TRIED, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(streams, cut)
    @example(packet(READ) + packet(WRITE), [])
    @example(packet(READ[:12], last=False) + packet(WRITE), [])
    @example(fragments(message(1, f"040112{len(WRITE) + 1:02x}b2{WRITE.hex()}"), [15]), [])
    @example(packet(b"", last=False) + packet(STOP), [])
    @example(userdata(7, 2, CLOCK, kind=0x80), [])
    @example(job("0401120a101d0001000184000000") + job(DOWNLOAD), [3])
    def passes(data: bytes, places: list[int]) -> None:
        send(station, harmless(data), places)

    passes()
    after = station.state()
    assert after == {**before, "reads": after["reads"]}
    assert after["reads"] > EXAMPLES_TRIED


def test_an_act_that_is_let_through_is_seen(station: Controlled) -> None:
    """The proof above is none if the server would not show what it was told to do."""
    before = station.state()
    send(station, packet(WRITE), [])
    send(station, packet(STOP), [])
    send(station, userdata(7, 2, CLOCK), [])
    after = station.state()
    assert (after["writes"], after["cpu"]) == (1, "STOP")
    assert after["memory"] != before["memory"]
    assert any("Set clock" in act for act in after["acts"])
