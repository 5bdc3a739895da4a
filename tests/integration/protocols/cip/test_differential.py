# SPDX-License-Identifier: Apache-2.0
"""What we call harmless never writes in a stock tag server, whatever the bytes and however they arrive; and a stock
client whose writes are refused goes on at that server.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pycomm3 import LogixDriver

from portineria.protocols.cip import INFO
from portineria.protocols.inspection import Inspection, Request, Undecodable
from tests.integration.protocols.cip.gate import HEADER
from tests.integration.protocols.cip.test_pycomm3 import PRIVILEGE, only_reads
from tests.integration.protocols.controlled import Controlled, controlled
from tests.integration.protocols.pump import pumping
from tests.unit.protocols.cip.conversation import bundle, forward_open, request, sent_on, symbol, unconnected, wrapped
from tests.unit.protocols.cip.test_properties import HARMLESS, MESSAGES, TELLING, WRITE, damaged

EXAMPLES_TRIED = 5_000 if os.environ.get("PORTINERIA_DEEP") else 120
REGISTER = wrapped(0x65, b"\1\0\0\0")
LAST = b"the last"  # the context of the question behind all others
READ = request(0x4C, symbol("Speed"), "0100")
WRITTEN = request(0x4D, symbol("Speed"), WRITE)
messages = st.lists(TELLING | MESSAGES | damaged(TELLING) | damaged(MESSAGES), min_size=1, max_size=5)


@pytest.fixture
def controller() -> Iterator[Controlled]:
    with controlled(Path(__file__).with_name("server.py")) as made:
        yield made


def looks(asked: Request) -> bool:
    return all(operation.kind in HARMLESS for operation in asked.operations)


class Session:
    """Registered at the server, with a connection opened, all through an inspection."""

    def __init__(self, connection: socket.socket, *, all_pass: bool) -> None:
        self._connection, self._all_pass = connection, all_pass
        self._inspection: Inspection = INFO.begin()
        self._handle = self._exchange(REGISTER)[4:8]
        self._exchange(self.told(unconnected(forward_open("2002 2401"))))

    def told(self, message: bytes) -> bytes:
        """In this session: the server looks at its handle."""
        return message[:4] + self._handle + message[8:] if hasattr(self, "_handle") else message

    def _exchange(self, message: bytes) -> bytes:
        self.offer(message)
        answer = self._answer()
        self._inspection.from_device(answer)
        return answer

    def offer(self, data: bytes) -> None:
        """What is harmless goes on, until the bytes end it."""
        for asked in self._inspection.from_client(data):
            if self._all_pass or looks(asked):
                self._connection.sendall(self._inspection.forward(asked))
            else:
                self._inspection.refuse(asked)

    def _answer(self) -> bytes:
        """One message; nothing at the end of the connection."""
        found = b""
        while len(found) < HEADER or len(found) < HEADER + int.from_bytes(found[2:4], "little"):
            size = HEADER + int.from_bytes(found[2:4], "little") if len(found) >= HEADER else HEADER
            if not (more := self._connection.recv(size - len(found))):
                return b""
            found += more
        return found

    def finish(self) -> bool:
        """Whether the server answers to a last read: then all before it is done."""
        with suppress(ConnectionError, TimeoutError):
            self._connection.sendall(self.told(unconnected(READ, LAST)))
            while answer := self._answer():
                if answer[12:20] == LAST:
                    return True
        return False


def converse(controller: Controlled, said: list[bytes], cuts: list[int], *, all_pass: bool = False) -> bool:
    with controller.connect() as connection:
        connection.settimeout(1)
        session = Session(connection, all_pass=all_pass)
        data = b"".join(map(session.told, said))
        with suppress(Undecodable):
            for start, end in pairwise(sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})):
                session.offer(data[start:end])
        return session.finish()


def test_what_we_call_harmless_writes_nothing(controller: Controlled) -> None:
    before, answered = controller.state(), 0

    @settings(max_examples=EXAMPLES_TRIED, suppress_health_check=list(HealthCheck), deadline=None)
    @given(messages, st.lists(st.integers(0, 400), max_size=3))
    @example([unconnected(READ), unconnected(WRITTEN), unconnected(READ)], [60])
    @example([unconnected(bundle(READ, WRITTEN, READ)), unconnected(sent_on(bundle(WRITTEN)))], [])
    def passes(said: list[bytes], cuts: list[int]) -> None:
        nonlocal answered
        answered += converse(controller, said, cuts)

    passes()
    after = controller.state()
    assert (after["written"], after["values"]) == ([], before["values"])
    assert after["asked"] > 2 * EXAMPLES_TRIED
    assert answered >= EXAMPLES_TRIED * 3 // 4  # the others ended before


@pytest.mark.parametrize("act", [WRITTEN, bundle(READ, WRITTEN), sent_on(WRITTEN)], ids=["plain", "bundle", "routed"])
def test_a_write_that_is_let_through_is_seen(controller: Controlled, act: bytes) -> None:
    """The proof above is none if the server would not do what it is told."""
    assert converse(controller, [unconnected(act)], [], all_pass=True)
    after = controller.state()
    assert (after["written"], after["values"]["Speed"]) == (["Speed"], "78000000")


async def test_a_stock_client_that_is_refused_goes_on_at_a_stock_server(controller: Controlled) -> None:
    def work(port: int) -> None:
        with LogixDriver(f"127.0.0.1:{port}") as plc:
            assert isinstance(plc, LogixDriver)
            for _ in range(20):
                assert PRIVILEGE in (plc.write("Speed", 120).error or "")
                assert [each.value for each in plc.read("Speed", "Parts")] == [0, 0]

    async with pumping(INFO.begin, controller.address, only_reads) as pump:
        await asyncio.to_thread(work, pump.port)
        assert (pump.connections, len(pump.refused), pump.undecodable) == (1, 20, [])
        assert all(answer.to is not None for answer in pump.answers)
        assert controller.state()["written"] == []
