# SPDX-License-Identifier: Apache-2.0
"""Everything here runs on both event loops: uvloop, and the stock one that a Windows computer has."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.dataplane.connector.state import Server, Store
from tests.integration.connector.control_plane import ControlPlane
from tests.integration.connector.relay_world import relay_world
from tests.integration.connector.responder import Responder, responding
from tests.integration.connector.terminal import SignedIn

# What is tested there has a process and a loop of its own.
OWN_PROCESS = {"test_cli.py", "test_bare_loop.py", "test_stopping.py"}


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.name in OWN_PROCESS:
        return {"uvloop": uvloop.new_event_loop}
    return {"uvloop": uvloop.new_event_loop, "stock": asyncio.new_event_loop}


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[SignedIn]:
    key = Ed25519PrivateKey.generate()
    async with relay_world(tmp_path) as world:
        with responding(Responder(key=key.public_key(), token="t")) as responder:
            server = Server(responder.url, world.pin, "Technician", "2099-01-01T00:00:00Z", proxy="none")
            Store(tmp_path / "home").save(server, key, "t")
            yield SignedIn(tmp_path / "home", ControlPlane(world, responder))
