# SPDX-License-Identifier: Apache-2.0
"""A relay behind a load balancer believes its word on who is there, and nobody else's."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from portineria.wire.leg import LEG_ALPN
from portineria.wire.proxy_protocol import write_header
from tests.integration.authority import Authority
from tests.integration.relay.bare import running
from tests.integration.relay.meter import figures
from tests.integration.relay.test_door import client_hello

pytestmark = pytest.mark.asyncio(loop_scope="module")
PER_ADDRESS = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Authority]:
    settings = {"balancers": ["127.0.0.1"], "setups_per_address": PER_ADDRESS, "setup_s": 3.0}
    async with running(tmp_path_factory.mktemp("house"), **settings) as authority:
        yield authority


def dial(house: Authority, header: bytes) -> socket.socket:
    sock = socket.create_connection((house.relay.address.host, house.relay.address.port), timeout=20)
    sock.sendall(header)
    return sock


def reached(sock: socket.socket) -> bool:
    """Whether the relay answers the ClientHello of a leg with a handshake of its own."""
    with sock, contextlib.suppress(OSError):
        sock.sendall(client_hello([LEG_ALPN]))
        return sock.recv(1) == b"\x16"
    return False


def behind(address: str) -> bytes:
    return write_header(address, "198.51.100.1", 40000, 443)


async def test_a_connection_passed_on_is_served(house: Authority) -> None:
    assert await asyncio.to_thread(reached, dial(house, behind("192.0.2.7")))


async def test_a_health_check_of_the_balancer_is_served(house: Authority) -> None:
    check = bytes.fromhex("0d0a0d0a000d0a515549540a20000000")
    assert await asyncio.to_thread(reached, dial(house, check))


@pytest.mark.parametrize("header", [b"", b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n", behind("192.0.2.7")[:-3]])
async def test_without_its_word_nobody_is_served(house: Authority, header: bytes) -> None:
    assert not await asyncio.to_thread(reached, dial(house, header))


async def test_limits_count_who_is_behind_and_not_the_balancer(house: Authority) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(PER_ADDRESS):
            held.enter_context(dial(house, behind("192.0.2.50")))
        while (await figures(house.relay.process))["setups"] < PER_ADDRESS:
            pass  # the deadline is that of the whole test
        assert not await asyncio.to_thread(reached, dial(house, behind("192.0.2.50")))
        assert await asyncio.to_thread(reached, dial(house, behind("192.0.2.51")))
