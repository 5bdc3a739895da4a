# SPDX-License-Identifier: Apache-2.0
"""The commands as a technician types them, as processes of their own, against real relays."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from portineria.dataplane.aio.task import until
from tests.integration.connector.relay_world import MACHINE, SESSION
from tests.integration.connector.responder import responding
from tests.integration.connector.terminal import SignedIn, Terminal
from tests.integration.connector.test_login import CODE, AuthorisationServer, visit

TALK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as device:
    device.sendall(b"hello")
    print(device.recv(5))
"""


async def test_exec_runs_a_tool_with_the_address_filled_in_and_hands_on_its_status(terminal: SignedIn) -> None:
    program = f"{TALK}print(sys.argv[3]); sys.exit(7)"
    status, out, err = await terminal.run(
        "connect", "Press 3/Echo", "--exec", sys.executable, "-c", program, "{address}", "{port}", "{machine}"
    )
    assert (status, out.splitlines()) == (7, ["b'hello'", "Press 3"]), err
    assert terminal.plane.asked(f"POST /api/v1/sessions/{SESSION}/end") == 1


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ([sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"], 143, ""),
        (["/no/such/tool"], 2, "/no/such/tool"),
        ([], 2, "--exec needs a command"),
    ],
    ids=["ended by a signal", "not there", "left out"],
)
async def test_exec_tells_how_the_command_ended(terminal: SignedIn, command: list[str], status: int, said: str) -> None:
    got, _, err = await terminal.run("connect", "Press 3", "--exec", *command)
    assert got == status, err
    assert said in err


async def test_connect_prints_what_to_type_and_control_c_ends_it(terminal: SignedIn) -> None:
    async with asyncio.timeout(30), terminal.running("connect", "Press 3") as process:
        assert process.stdout is not None
        head = await process.stdout.readline()
        await process.stdout.readline()
        typed = await process.stdout.readline()
        assert head.startswith(b"Connected to Press 3 until ")
        assert b"Modbus/TCP address 127." in typed
        assert b"port 15020" in typed
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
    assert terminal.plane.asked(f"POST /api/v1/sessions/{SESSION}/end") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ending_connect_ends_the_command_it_runs(terminal: SignedIn, number: int) -> None:
    program = "import os, time; print(os.getpid(), flush=True); time.sleep(100)"
    async with (
        asyncio.timeout(30),
        terminal.running("connect", "Press 3", "--exec", sys.executable, "-c", program) as process,
    ):
        assert process.stdout is not None
        child = int(await process.stdout.readline())
        process.send_signal(number)
        assert await process.wait() == 128 + number
    assert await until(lambda: not Path(f"/proc/{child}").exists(), timeout_s=30)


async def test_connect_speaks_json_to_programs(terminal: SignedIn) -> None:
    async with asyncio.timeout(30), terminal.running("connect", "Press 3", "--json") as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("}\n") or said.count("{") != said.count("}"):
            said += (await process.stdout.readline()).decode()
        told = json.loads(said)
        [door] = told["doors"]
        reader, writer = await asyncio.open_connection(door["address"], door["port"])
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
    assert (told["session"], told["machine"], door["name"], door["protocol"]) == (SESSION, MACHINE, "Echo", "modbus")


async def test_a_session_that_its_relay_closed_ends_connect_with_one(terminal: SignedIn) -> None:
    async with asyncio.timeout(30), terminal.running("connect", "Press 3") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(3):
            await process.stdout.readline()
        terminal.plane.world.close_legs()
        assert await process.wait() == 1
        assert b"The relay has closed this session." in await process.stderr.read()


async def test_a_machine_that_is_absent_is_not_found(terminal: SignedIn) -> None:
    status, _, err = await terminal.run("connect", "Somebody else's press")
    assert (status, err) == (1, "portineria: There is no such machine, request or session for you.\n")


async def test_a_server_that_is_away_is_said(terminal: SignedIn) -> None:
    terminal.plane.responder.answers["POST /api/v1/sessions"] = (
        503,
        {"code": "gateway.away", "title": "t", "detail": "d"},
    )
    status, _, err = await terminal.run("connect", "Press 3")
    assert status == 3
    assert "The plant's gateway is not connected" in err


async def test_machines_are_listed_for_people_and_for_programs(terminal: SignedIn) -> None:
    machine = {"machine": MACHINE, "name": "プレス 3", "sight": "askable", "owner": "Plant", "services": []}
    terminal.plane.responder.answers["GET /api/v1/machines"] = 200, [machine]
    status, out, _ = await terminal.run("machines")
    assert (status, out.splitlines()[1].split()[:3]) == (0, ["プレス", "3", "ask"])
    _, out, _ = await terminal.run("machines", "--json")
    assert json.loads(out)[0]["machine"] == MACHINE


@pytest.mark.parametrize(("state", "expected"), [("approved", 0), ("refused", 1), ("expired", 1)])
async def test_request_waits_for_the_decision(terminal: SignedIn, state: str, expected: int) -> None:
    answers = terminal.plane.responder.answers
    answers["POST /api/v1/requests"] = lambda asked: (200, {"request": "req_1", "state": "pending", **asked.json})
    answers["GET /api/v1/requests/req_1"] = 200, {"request": "req_1", "state": state}
    status, out, _ = await terminal.run("request", "Press 3", "--reason", "new drive", "--minutes", "30", "--wait")
    assert (status, out) == (expected, f"req_1: {state}\n")
    [made] = [asked.json for asked in terminal.plane.responder.asked if asked.path == "/api/v1/requests"]
    assert made == {"machine": MACHINE, "reason": "new drive", "starts_at": None, "minutes": 30}


async def test_cut_says_cut_only_when_the_gateway_has_signed(terminal: SignedIn) -> None:
    answers = terminal.plane.responder.answers
    answers[f"POST /api/v1/sessions/{SESSION}/cut"] = 200, {"state": "cutting"}
    answers[f"GET /api/v1/sessions/{SESSION}"] = 200, {"state": "ended", "ending": "cut"}
    assert await terminal.run("cut", SESSION, "--reason", "wrong machine") == (0, f"{SESSION} is cut.\n", "")


async def test_login_signs_in_and_logout_forgets(tmp_path: Path) -> None:
    """With the visitor in place of the browser."""
    server = AuthorisationServer()
    with responding(server.responder):
        terminal = Terminal(tmp_path / "home")
        async with (
            asyncio.timeout(30),
            terminal.running("login", server.responder.url, "--no-browser", "--proxy", "none") as p,
        ):
            assert p.stdout is not None
            while not (line := (await p.stdout.readline()).strip()).startswith(b"http"):
                assert not p.stdout.at_eof()
            address = line.decode()
            assert parse_qs(urlsplit(address).query)["name"][0]
            server.authorised(address)
            assert (await visit(address, code=CODE))[0] == 200
            assert await p.wait() == 0
        server.responder.answers["GET /api/v1/machines"] = 200, []
        assert await terminal.run("machines") == (0, "There is no machine for you.\n", "")
        assert (await terminal.run("logout"))[0] == 0
        assert (await terminal.run("machines"))[0] == 1
