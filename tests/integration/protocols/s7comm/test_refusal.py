# SPDX-License-Identifier: Apache-2.0
"""A stock client whose writes are refused shows its ordinary error and goes on; nothing of them reached the station."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from snap7 import Client
from snap7.error import S7Error
from snap7.type import Block

from portineria.protocols.inspection import Request
from portineria.protocols.operation import Kind
from portineria.protocols.s7comm import INFO
from tests.integration.protocols.controlled import Controlled
from tests.integration.protocols.pump import pumping

OPERATIONS = 10_000  # 6 s
LOOKING = {Kind.IDENTIFY, Kind.READ, Kind.SESSION, Kind.DIAGNOSTIC}
ACTS: list[tuple[str, str, Callable[[Any], object]]] = [
    ("write-variable", "not allowed", lambda plc: plc.db_write(1, 10, bytearray(b"\x12\x34"))),
    ("write-variable", "not allowed", lambda plc: plc.mb_write(3, 1, bytearray(b"\x12"))),
    ("write-variable", "not allowed", lambda plc: plc.db_write_bool(1, 4, 3, True)),
    ("plc-stop", "protection level", lambda plc: plc.plc_stop()),
    ("plc-warm-start", "protection level", lambda plc: plc.plc_hot_start()),
    ("plc-cold-start", "protection level", lambda plc: plc.plc_cold_start()),
    ("compress-memory", "protection level", lambda plc: plc.compress(1)),
    ("copy-ram-to-rom", "protection level", lambda plc: plc.copy_ram_to_rom()),
    ("pi-service", "protection level", lambda plc: plc.delete(Block.DB, 1)),  # in a form of its own
    ("request-download", "protection level", lambda plc: plc.download(bytearray(64), 1)),
    ("start-upload", "protection level", lambda plc: plc.upload(1)),
    ("set-clock", "protection level", lambda plc: plc.set_plc_datetime(datetime(2026, 8, 23, 11, 45, 12, tzinfo=UTC))),
    ("plc-password", "protection level", lambda plc: plc.set_session_password("secret")),
]


def looks_only(request: Request) -> bool:
    return all(operation.kind in LOOKING for operation in request.operations)


def connect(port: int) -> Client:
    client = Client()
    client.connect("127.0.0.1", 0, 1, port)
    return client


def work(port: int, operations: int) -> None:
    """One refused write and one refused stop after each hundred reads."""
    client = connect(port)
    for number in range(operations):
        if number % 100 == 0:
            with pytest.raises(S7Error):
                client.db_write(1, number % 50, bytearray(b"\x47\x11"))
            with pytest.raises(S7Error):
                client.plc_stop()
        assert client.db_read(1, number % 50, 4) == bytes(range(number % 50, number % 50 + 4))
    assert client.get_connected()
    client.disconnect()


async def test_a_refused_write_leaves_the_client_working(station: Controlled) -> None:
    before = station.state()
    async with pumping(INFO.begin, station.address, looks_only) as pump:
        await asyncio.to_thread(work, pump.port, OPERATIONS)
        assert (pump.connections, len(pump.refused), pump.undecodable) == (1, OPERATIONS // 50, [])
    after = station.state()
    assert after == {**before, "reads": OPERATIONS}


async def test_each_act_is_refused_in_the_words_of_s7(station: Controlled) -> None:
    """On one connection, with a read after each: it is still the same, and right."""
    before = station.state()

    def act(port: int) -> list[str]:
        client, said = connect(port), []
        for _, words, call in ACTS:
            with pytest.raises((S7Error, RuntimeError), match=words) as caught:
                call(client)
            said.append(str(caught.value))
            assert client.db_read(1, 0, 4) == b"\0\1\2\3"
            client.get_cpu_info()
        client.disconnect()
        return said

    async with pumping(INFO.begin, station.address, looks_only) as pump:
        await asyncio.to_thread(act, pump.port)
        assert [each.operations[0].function for each in pump.refused] == [function for function, _, _ in ACTS]
        assert (pump.connections, pump.undecodable) == (1, [])
    assert station.state() == {**before, "reads": len(ACTS) + 1}  # to write a bit, the client reads its byte first


async def test_a_refused_block_ends_a_download_and_not_the_connection(station: Controlled) -> None:
    """The request for it is allowed, the block is not: the station gives up, and holds what it held."""
    before = station.state()

    def download(port: int) -> None:
        client = connect(port)
        with pytest.raises((S7Error, RuntimeError)):
            client.download(bytearray(64), 1)
        assert client.get_connected()
        assert client.db_read(1, 0, 4) == b"\0\1\2\3"
        client.disconnect()

    def allowed(request: Request) -> bool:
        return all(operation.function != "download-block" for operation in request.operations)

    async with pumping(INFO.begin, station.address, allowed) as pump:
        await asyncio.to_thread(download, pump.port)
        assert [each.operations[0].function for each in pump.refused] == ["download-block"]
    assert station.state()["memory"] == before["memory"]


async def test_a_refused_connection_is_told_as_one(station: Controlled) -> None:
    def attempt(port: int) -> None:
        with pytest.raises((S7Error, ConnectionError)):
            connect(port)

    async with pumping(INFO.begin, station.address, lambda _: False) as pump:
        await asyncio.to_thread(attempt, pump.port)
        assert [each.operations[0].function for each in pump.refused][:1] == ["connect"]


async def test_a_connection_that_asks_to_be_forwarded_says_so(station: Controlled) -> None:
    def attempt(port: int) -> None:
        client = Client()
        client.connect_routed("127.0.0.1", 0, 1, subnet=0x14, dest_rack=0, dest_slot=3, port=port)
        client.db_read(1, 0, 4)
        client.disconnect()

    routes = set[tuple[str, ...]]()

    def allowed(request: Request) -> bool:
        routes.update(operation.route for operation in request.operations)
        return True

    async with pumping(INFO.begin, station.address, allowed) as pump:
        await asyncio.to_thread(attempt, pump.port)
        assert routes == {("subnet 0014", "rack 0 slot 3")}


async def test_what_is_allowed_reaches_the_station(station: Controlled) -> None:
    """The proofs above are none if the server would not show what it was told."""

    def act(port: int) -> None:
        client = connect(port)
        client.db_write(1, 10, bytearray(b"\x12\x34"))
        client.plc_stop()
        client.download(bytearray(b"\x55" * 16), 1)
        assert client.upload(1)
        client.disconnect()

    async with pumping(INFO.begin, station.address, lambda _: True) as pump:
        await asyncio.to_thread(act, pump.port)
        assert pump.undecodable == []
    state = station.state()
    assert (state["cpu"], state["writes"]) == ("STOP", 1)
    assert bytes.fromhex(state["memory"]["DB"])[:16] == b"\x55" * 16
    assert state["acts"]
