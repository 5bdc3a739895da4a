# SPDX-License-Identifier: Apache-2.0
"""Everything here runs on both event loops: uvloop, and the stock one that every system has."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import uvloop

from tests.integration.aio.ends import OPEN, Installation, eventually, tcp_pair


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "stock": asyncio.new_event_loop}


@pytest.fixture(scope="package")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("certificates") / "ours")


@pytest.fixture(scope="package")
def rival(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("certificates") / "rival")


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with tcp_pair() as sockets:
        yield sockets


@pytest.fixture
async def leaves_nothing_open() -> AsyncIterator[None]:
    """Asked for by every module whose tests start channels."""
    yield
    started = [channel for channel in OPEN if channel._transport is not None]
    OPEN.clear()
    for channel in started:
        channel.abort()
    await eventually(lambda: all(channel.closed for channel in started), "every channel is closed")
