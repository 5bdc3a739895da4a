# SPDX-License-Identifier: Apache-2.0
"""What we call harmless never changes a real server, whatever the bytes and however they arrive."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from asyncua import ua
from asyncua.sync import Server, SyncNode
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.ua_binary import nodeid_to_binary, struct_to_binary
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from portineria.protocols.inspection import Inspection, Undecodable
from portineria.protocols.opcua import INFO
from portineria.protocols.opcua.binary import Reader
from portineria.protocols.opcua.services import SERVICES
from portineria.protocols.operation import Kind
from tests.unit.protocols.opcua.conversation import (
    HEADER,
    hello,
    message,
    opening,
    reading,
    sequence_at,
    service,
    writing,
)

EXAMPLES_TRIED = 3_000 if os.environ.get("PORTINERIA_DEEP") else 100
HARMLESS = {Kind.IDENTIFY, Kind.READ, Kind.SESSION}
SPEED, PRESS = ua.NodeId.from_string("ns=2;s=Speed"), ua.NodeId.from_string("ns=2;s=Press")
NODE, METHOD, OBJECTS = (
    nodeid_to_binary(SPEED),
    nodeid_to_binary(PRESS),
    nodeid_to_binary(ua.NodeId.from_string("i=85")),
)
WRITE = writing(NODE, b"\x08" + struct.pack("<q", 8))
CALL = service(712, HEADER + struct.pack("<i", 1) + OBJECTS + METHOD + struct.pack("<i", 0))
DELETE = service(500, HEADER + struct.pack("<i", 1) + NODE + b"\1")
READ = reading(NODE, OBJECTS)
BODIES = [WRITE, CALL, DELETE, READ, READ, writing(NODE, b"\3\1", attribute=17), service(826, HEADER + b"\xff" * 4)]
QUESTION = 0x7FFFFFFF  # request id


@dataclass(slots=True)
class Press:
    port: int
    server: Server
    speed: SyncNode
    presses: list[int] = field(default_factory=list)

    def state(self) -> tuple[object, ...]:
        names = sorted(str(node.nodeid) for node in self.server.nodes.objects.get_children())
        access = self.speed.read_attribute(AttributeIds.AccessLevel).Value.Value
        return self.speed.read_value(), access, names, len(self.presses)


@pytest.fixture
def press() -> Iterator[Press]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server, presses = Server(), list[int]()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    speed = server.nodes.objects.add_variable(SPEED, "Speed", 7)
    speed.set_writable()

    def pressed(_: object) -> list[ua.Variant]:
        presses.append(1)
        return []

    server.nodes.objects.add_method(PRESS, "Press", pressed, [], [])
    with server:
        yield Press(port, server, speed, presses)


@dataclass(slots=True)
class Channel:
    """A session at the server through an inspection. ``last``: the number of the chunk that the server got last."""

    connection: socket.socket
    inspection: Inspection
    all_pass: bool = False
    last: int = 0
    place: tuple[int, int] = (0, 0)  # channel, token
    session: bytes = b"\0\0"

    def begin(self) -> None:
        self.ask(hello())
        opened = self.ask(opening())
        reader = Reader(opened, sequence_at(opened) + 8 + 4 + 24 + 4)
        self.place = reader.number("I"), reader.number("I")
        created = Reader(self.ask(self.told(2, struct_to_binary(ua.CreateSessionRequest()))), 24 + 4 + 24)
        created.node()
        start = created.at
        created.node()
        self.session = created.data[start : created.at]
        activate = ua.ActivateSessionRequest()
        activate.Parameters.UserIdentityToken = ua.AnonymousIdentityToken(PolicyId="anonymous")
        self.ask(self.told(3, struct_to_binary(activate)))

    def told(self, number: int, body: bytes, request: int | None = None, kind: bytes = b"MSGF") -> bytes:
        """``body`` in this channel and session: the header begins after the four bytes of the service."""
        whole = message(number, body[:4] + self.session + body[6:], kind, request=request)
        return whole[:8] + struct.pack("<II", *self.place) + whole[16:]

    def ask(self, data: bytes) -> bytes:
        self.offer(data)
        while came := self.connection.recv(65536):
            if answers := self.inspection.from_device(came):
                return answers[0].data
        raise AssertionError("the server ended it")

    def offer(self, data: bytes) -> None:
        """Forward what is harmless, until the bytes end it."""
        for request in self.inspection.from_client(data):
            if self.all_pass or all(each.kind in HARMLESS for each in request.operations):
                given = self.inspection.forward(request)
                self.connection.sendall(given)
                while given and given[:3] != b"HEL":
                    self.last = struct.unpack_from("<I", given, sequence_at(given))[0]
                    given = given[int.from_bytes(given[4:8], "little") :]
            else:
                self.inspection.refuse(request)

    def finish(self) -> bool:
        """Whether the server answers to a last read; it may have ended the connection. Then all before it is done."""
        rest = b""
        with suppress(ConnectionError):
            self.connection.sendall(self.told(self.last + 1, READ, QUESTION))
            while came := self.connection.recv(65536):
                rest += came
                while len(rest) >= 8 and len(rest) >= (size := int.from_bytes(rest[4:8], "little")):
                    if rest[:3] == b"MSG" and rest[20:24] == QUESTION.to_bytes(4, "little"):
                        return True
                    rest = rest[size:]
        return False


def converse(press: Press, bodies: list[tuple[bytes, int]], cuts: list[int], *, all_pass: bool = False) -> bool:
    """Each body with a place where it is cut into two chunks, or 0. Returns whether the server answered to the end."""
    with socket.create_connection(("127.0.0.1", press.port), timeout=10) as connection:
        channel, number, data = Channel(connection, INFO.begin(), all_pass), 4, b""
        channel.begin()
        for body, place in bodies:
            if 6 < place < len(body):
                whole = channel.told(number, body, number)[24:]
                data += message_in(channel, number, whole[:place], b"MSGC", number)
                data += message_in(channel, number + 1, whole[place:], b"MSGF", number)
            else:
                data += channel.told(number, body)
            number += 1 + (6 < place < len(body))
        with suppress(Undecodable):
            for start, end in pairwise(sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})):
                channel.offer(data[start:end])
        return channel.finish()


def message_in(channel: Channel, number: int, part: bytes, kind: bytes, request: int) -> bytes:
    whole = message(number, part, kind, request=request)
    return whole[:8] + struct.pack("<II", *channel.place) + whole[16:]


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """Another service, or another byte somewhere, or both."""
    body = bytearray(draw(st.sampled_from(BODIES)))
    if draw(st.booleans()):
        body[2:4] = draw(st.sampled_from(sorted(SERVICES))).to_bytes(2, "little")
    if draw(st.booleans()):
        body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
    return bytes(body)


parts = st.tuples(st.sampled_from(BODIES) | changed(), st.sampled_from([0, 0, 4, 10, 30, 40]))
cuts_made = st.lists(st.integers(0, 600), max_size=3)


def test_what_we_call_harmless_changes_nothing(press: Press) -> None:
    before, answered = press.state(), 0

    @settings(max_examples=EXAMPLES_TRIED, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.lists(parts, min_size=1, max_size=4), cuts_made)
    @example([(WRITE, 0), (READ, 0), (CALL, 0), (DELETE, 0), (READ, 0)], [])
    @example([(READ, 30), (WRITE, 30)], [40])
    def passes(bodies: list[tuple[bytes, int]], cuts: list[int]) -> None:
        nonlocal answered
        answered += converse(press, bodies, cuts)

    passes()
    assert press.state() == before
    assert answered >= EXAMPLES_TRIED // 2  # the server ended the other connections before


@pytest.mark.parametrize("body", [WRITE, CALL], ids=["write", "call"])
def test_an_act_that_is_let_through_is_seen(press: Press, body: bytes) -> None:
    """The proof above is none if the server would not do what it is told."""
    before = press.state()
    assert converse(press, [(body, 0)], [], all_pass=True)
    assert press.state() != before
