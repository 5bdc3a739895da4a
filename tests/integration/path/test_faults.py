# SPDX-License-Identifier: Apache-2.0
"""Parts that die, freeze or vanish under a live session: nothing hangs, nobody gets more than was granted."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portineria.core.errors import Unavailable
from portineria.dataplane.connector.api import TIMEOUT_S
from portineria.demo.main_job import cut, journal
from portineria.demo.namespace import Kind
from portineria.demo.processes import PORTINERIA, portineria
from tests.integration.path.conftest import WholePath
from tests.integration.path.tool import ask, closed_within, tool_at

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
        tool = tool_at(held.doors["modbus"])
        server = path.stage.processes.pid("server")
        os.kill(server, signal.SIGSTOP)
        try:
            with pytest.raises(Unavailable, match=r"cannot be reached|does not answer"):
                portineria("machines", env=path.env, timeout_s=90)
            path.until(lambda: "The server cannot be reached; open work goes on" in held.errors, seconds=90)
            ask(tool)
        finally:
            os.kill(server, signal.SIGCONT)
        path.until(lambda: "The server is back." in held.errors, seconds=90)
        ask(tool)
        tool.close()


@contextlib.contextmanager
def without_control_plane(path: WholePath, how: str) -> Iterator[None]:
    """The server is back behind it."""
    if how == "killed":
        path.stage.processes.kill("server", signal.SIGKILL)
        path.until(lambda: "server" in path.stage.processes.dead())
        try:
            yield
        finally:
            path.stage.start_server()
        return
    server = path.stage.processes.pid("server")
    os.kill(server, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server, signal.SIGCONT)


@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_connect_waits_for_a_control_plane_that_is_away_and_begins_one_session(
    path: WholePath, tmp_path: Path, how: str
) -> None:
    plant = path.stage.plants[0]
    before = {row["session"] for row in path.run("sessions")}
    with (tmp_path / "out").open("wb") as out, (tmp_path / "said").open("wb") as said:
        with without_control_plane(path, how):
            command = [*PORTINERIA, "connect", f"{plant.name} press 3", "--json"]
            connect = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=said, env=path.env)
            path.until(
                lambda: "Waiting for it up to 2 min; Ctrl-C stops." in (tmp_path / "said").read_text(), seconds=60
            )
            why = "does not answer" if how == "frozen" else "cannot be reached"  # the relay answers at the same port
            assert why in (tmp_path / "said").read_text()
            time.sleep(TIMEOUT_S + 3 if how == "frozen" else 0)  # longer than one attempt, which so must fail
        try:
            path.until(lambda: (tmp_path / "out").read_text().endswith("}\n"), seconds=120)
            opened = json.loads((tmp_path / "out").read_text())
            door = next(door for door in opened["doors"] if door["protocol"] == "modbus")
            with tool_at((door["address"], door["port"])) as tool:
                ask(tool)
        finally:
            connect.send_signal(signal.SIGINT)
            assert connect.wait(60) == 130, (tmp_path / "said").read_text()
    assert {row["session"] for row in path.run("sessions")} - before == {opened["session"]}
    assert "The server is back." in (tmp_path / "said").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_connector_ends_when_told_though_server_and_relays_are_frozen(
    path: WholePath, number: signal.Signals
) -> None:
    with path.connected(path.stage.plants[0]) as held:
        with tool_at(held.doors["modbus"]), contextlib.ExitStack() as frozen:
            for pid in (path.stage.processes.pid("server"), *path.relay_pids()):
                os.kill(pid, signal.SIGSTOP)
                frozen.callback(os.kill, pid, signal.SIGCONT)
            os.kill(held.pid, number)
            assert held.wait(12) == 128 + number  # three seconds for the goodbye, on a busy machine
        assert "The server could not be told that you are done" in held.errors
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(held.doors["modbus"], timeout=10)
        cut(path.stage, "Owner", held.session, "For it the session goes on")
        path.until(lambda: path.session(held.session)["state"] == "ended", seconds=60)


def test_a_killed_control_plane_comes_back_to_the_same_sessions(path: WholePath) -> None:
    plant = path.stage.plants[0]
    with path.connected(plant) as held, tool_at(held.doors["modbus"]) as tool:
        path.stage.processes.kill("server", signal.SIGKILL)
        path.until(lambda: "server" in path.stage.processes.dead())
        ask(tool)  # the relays outlive the server
        path.stage.start_server()
        ask(tool)
        tool_at(held.doors["modbus"]).close()
        cut(path.stage, "Owner", held.session, "The new server cuts what the old one ordered")
        closed_within(tool, 30)
        row = path.until(lambda: (found := path.session(held.session))["state"] == "ended" and found)
        assert (row["ending"], row["proven_cut"]) == ("cut", True)


@pytest.fixture
def long_hold(path: WholePath) -> Iterator[None]:
    """What ends before it is over was not left to run out."""
    path.act("hold_seconds", "Nagoya press 3", "600")
    yield
    path.act("hold_seconds", "Nagoya press 3", "60")


@pytest.mark.usefixtures("long_hold")
def test_a_killed_gateway_ends_its_streams_and_serves_again_when_it_is_back(path: WholePath) -> None:
    plant = path.stage.plants[1]
    name = f"gateway-{plant.name.lower()}"
    with path.connected(plant) as held:
        with tool_at(held.doors["modbus"]) as tool:
            path.stage.processes.kill(name, signal.SIGKILL)
            path.until(lambda: name in path.stage.processes.dead())
            (plant.gateway_state / "status.json").unlink(missing_ok=True)
            path.stage.start_gateway(plant)
            closed_within(tool, 90)
        path.until(lambda: path.stage.linked(plant), seconds=60)
    with path.connected(plant) as again:
        tool_at(again.doors["modbus"]).close()


def test_a_line_that_black_holes_for_a_while_costs_nothing(path: WholePath) -> None:
    """The cable of the plant is pulled: no reset, no answer, for longer than the legs' own patience."""
    if path.stage.kind is not Kind.ROOT:
        pytest.skip("pulling the cable needs root: run as root")
    plant = path.stage.plants[0]
    before = len(journal(plant, "connect"))
    with path.connected(plant) as held:
        tool = tool_at(held.doors["modbus"])
        cable = plant.network.cable
        subprocess.run(["ip", "link", "set", cable, "down"], check=True)
        try:
            path.until(lambda: "Line interrupted; the connection is kept at the device" in held.errors, seconds=60)
        finally:
            subprocess.run(["ip", "link", "set", cable, "up"], check=True)
        ask(tool)
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
