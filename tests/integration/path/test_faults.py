# SPDX-License-Identifier: Apache-2.0
"""Parts that die, freeze or vanish under a live session: nothing hangs, nobody gets more than was granted."""

import asyncio
import os
import signal
import socket
import subprocess
import time

import pytest

from portineria.core.errors import Unavailable
from portineria.demo.main_job import journal
from portineria.demo.namespace import Kind
from portineria.demo.processes import portineria
from tests.integration.path.conftest import WholePath
from tests.integration.path.test_ends import _READ, _closed_within, _tool

CONNECTIONS = 1000


def test_a_thousand_connections_at_once_are_all_served(path: WholePath) -> None:
    with path.connected(path.stage.plants[0]) as held:
        address, port = held.doors["http"]

        async def visit() -> bytes:
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(b"GET /values HTTP/1.1\r\nHost: panel\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            return answer

        async def all_at_once() -> list[bytes]:
            async with asyncio.timeout(100):
                return await asyncio.gather(*(visit() for _ in range(CONNECTIONS)))

        answers = asyncio.run(all_at_once())
    assert sum(answer.startswith(b"HTTP/1.1 200") for answer in answers) == CONNECTIONS


def test_while_the_control_plane_is_frozen_live_sessions_go_on_and_new_ones_get_a_clear_answer(path: WholePath) -> None:
    with path.connected(path.stage.plants[0]) as held:
        tool = _tool(held.doors["modbus"])
        server = path.stage.processes.pid("server")
        os.kill(server, signal.SIGSTOP)
        try:
            for _ in range(5):
                tool.sendall(_READ)
                assert tool.recv(100)[7] == 3
                time.sleep(0.2)
            with pytest.raises(Unavailable, match=r"cannot be reached|does not answer"):
                portineria("machines", env=path.env, timeout_s=90)
        finally:
            os.kill(server, signal.SIGCONT)
        tool.sendall(_READ)
        assert tool.recv(100)[7] == 3
        tool.close()


def test_a_killed_control_plane_comes_back_to_the_same_sessions(path: WholePath) -> None:
    plant = path.stage.plants[0]
    with path.connected(plant) as held:
        tool = _tool(held.doors["modbus"])
        path.stage.processes.kill("server", signal.SIGKILL)
        path.until(lambda: "server" in path.stage.processes.dead())
        tool.sendall(_READ)
        assert tool.recv(100)[7] == 3  # the relays outlive the server
        path.stage.start_server()
        tool.sendall(_READ)
        assert tool.recv(100)[7] == 3
        tool.close()
        assert path.session(held.session)["state"] in ("live", "opening")


def test_a_killed_gateway_ends_its_streams_and_serves_again_when_it_is_back(path: WholePath) -> None:
    plant = path.stage.plants[1]
    name = f"gateway-{plant.name.lower()}"
    with path.connected(plant) as held:
        with _tool(held.doors["modbus"]) as tool:
            path.stage.processes.kill(name, signal.SIGKILL)
            path.until(lambda: name in path.stage.processes.dead())
            (plant.gateway_state / "status.json").unlink(missing_ok=True)
            path.stage.start_gateway(plant)
            assert _closed_within(tool, 90) < 90
        path.until(lambda: path.stage.linked(plant), seconds=60)
    with path.connected(plant) as again:
        _tool(again.doors["modbus"]).close()


def test_a_line_that_black_holes_for_a_while_costs_nothing(path: WholePath) -> None:
    """The cable of the plant is pulled: no reset, no answer, for longer than the legs' own patience."""
    if path.stage.kind is not Kind.ROOT:
        pytest.skip("pulling the cable needs root: run as root")
    plant = path.stage.plants[0]
    before = len(journal(plant, "connect"))
    with path.connected(plant) as held:
        tool = _tool(held.doors["modbus"])
        cable = plant.network.cable
        subprocess.run(["ip", "link", "set", cable, "down"], check=True)
        try:
            time.sleep(5)  # what is tested is the outage itself
        finally:
            subprocess.run(["ip", "link", "set", cable, "up"], check=True)
        tool.settimeout(60)
        tool.sendall(_READ)
        assert tool.recv(100)[7] == 3
        tool.close()
    assert len(journal(plant, "connect")) == before + 1


def test_the_gateways_let_nothing_in(path: WholePath) -> None:
    for plant in path.stage.plants:
        listening = subprocess.run(
            plant.network.command(["ss", "-Hltnu"]), capture_output=True, text=True, check=True
        ).stdout
        assert listening.strip() == ""
        if address := plant.network.inward_address:
            with pytest.raises(OSError, match="timed out"):
                socket.create_connection((address, 22), timeout=1)
