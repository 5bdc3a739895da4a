# SPDX-License-Identifier: Apache-2.0
"""The commands as a technician types them, as processes of their own, against real relays."""

import asyncio
import json
import re
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
        ([], 2, "--exec needs a command"),
    ],
    ids=["ended by a signal", "left out"],
)
async def test_exec_tells_how_the_command_ended(terminal: SignedIn, command: list[str], status: int, said: str) -> None:
    got, _, err = await terminal.run("connect", "Press 3", "--exec", *command)
    assert got == status, err
    assert said in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Press 3/vnc"], "no service is called 'vnc'; there are: Echo, Panel"),
        (["Press 3", "--exec", "mytool", "{address}"], "which service? Write MACHINE/SERVICE; there are: Echo, Panel"),
        (["Press 3/Echo", "--exec", "nosuchcmd"], "there is no command nosuchcmd on this computer"),
        (["Press 3", "--port-offset", "70000"], "Echo would be at port 85020, and ports are 1 to 65535"),
        (["Press 3", "--wait", "-1"], "'-1' is no number of seconds"),
    ],
    ids=["service", "placeholder", "command", "offset", "wait"],
)
async def test_a_wrong_command_line_costs_no_session(terminal: SignedIn, words: list[str], said: str) -> None:
    echo = terminal.plane.world.services[0]
    terminal.plane.world.services.append({**echo, "service": "srv_bbbbbbbbbbbbbbbb", "name": "Panel", "port": 15021})
    status, _, err = await terminal.run("connect", *words)
    assert status == 2, err
    assert said in err
    assert terminal.plane.asked("POST /api/v1/sessions") == 0


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


async def test_a_server_that_stays_away_is_waited_for_and_given_up(terminal: SignedIn) -> None:
    terminal.plane.responder.answers["GET /api/v1/machines/Press%203"] = 502, b"<html>the balancer speaks</html>"
    status, out, err = await terminal.run("connect", "Press 3", "--wait", "1")
    assert (status, out) == (3, "")
    waiting, given_up = err.splitlines()
    assert waiting == "the server answered 502 Waiting for it up to 1 s; Ctrl-C stops."
    assert given_up.startswith("portineria: the server answered 502 It was waited for in vain, and nothing was opened.")


async def test_a_session_that_ended_is_said_with_its_reason(terminal: SignedIn) -> None:
    ended = {"state": "ended", "ending": "finished", "end_why": "revoked", "end_reason": ""}
    async with asyncio.timeout(30), terminal.running("connect", "Press 3") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for _ in range(3):
            await process.stdout.readline()
        terminal.plane.responder.answers[f"GET /api/v1/sessions/{SESSION}"] = 200, ended
        terminal.plane.world.close_legs()
        assert await process.wait() == 0
        said = (await process.stderr.read()).decode()
    assert said == "The session has ended. Reason: the permission was revoked.\n"


async def test_sessions_tell_a_cut_from_an_end_that_nobody_proved(terminal: SignedIn) -> None:
    ended = {
        "session": "ses_1", "machine_name": "Press 3", "state": "ended", "ending": "cut", "signed": True,
        "ends_at": "2026-11-22T11:00:00Z", "drain_until": None, "ended_at": "2026-11-22T10:00:00Z",
        "end_why": "cut-by-person", "end_reason": "Line starts again",
    }  # fmt: skip
    open_ = {**ended, "ending": "", "signed": False, "ended_at": None, "end_why": "", "end_reason": ""}
    terminal.plane.responder.answers["GET /api/v1/sessions"] = (
        200,
        [
            {**open_, "state": "live"},
            {**open_, "state": "cutting", "end_why": "cut-by-person"},
            ended,
            {**ended, "ending": "unproven", "signed": False, "end_why": "expired", "end_reason": ""},
            {**ended, "ending": "finished", "end_why": "finished", "end_reason": ""},
        ],
    )
    status, out, err = await terminal.run("sessions")
    assert status == 0, err
    rows = [re.split(r"\s{2,}", line)[2:] for line in out.splitlines()]
    signed = "signed by the gateway"
    assert [[row[0], row[1], row[-1]] for row in rows[2:]] == [
        ["being cut", "not signed yet", "somebody cut it"],
        ["cut", signed, "somebody cut it: “Line starts again”"],
        ["ended", "without receipt", "its time is over"],
        ["finished", signed, "the connector said that it is done"],
    ]
    assert rows[1][0] == "live"
    assert signed not in out.splitlines()[1]


async def test_machines_are_listed_for_people_and_for_programs(terminal: SignedIn) -> None:
    machine = {"machine": MACHINE, "name": "プレス 3", "sight": "askable", "owner": "Plant", "services": []}
    terminal.plane.responder.answers["GET /api/v1/machines"] = 200, [machine]
    status, out, _ = await terminal.run("machines")
    assert (status, out.splitlines()[1].split()[:3]) == (0, ["プレス", "3", "ask"])
    _, out, _ = await terminal.run("machines", "--json")
    assert json.loads(out)[0]["machine"] == MACHINE


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        ({"state": "approved"}, 0, "req_1 is approved. Now: portineria connect 'Press 3'"),
        ({"state": "refused", "decision_reason": "not today"}, 1, "req_1 was refused: not today"),
        ({"state": "expired"}, 1, "req_1 was not decided in time; ask again, or call the owner."),
        ({"state": "lapsed"}, 1, "req_1 is no longer possible: no rule lets you ask for this machine in that way any "
                                 "more; ask its owner."),
        ({"state": "brand-new"}, 1, "req_1 is brand-new."),
    ],
)  # fmt: skip
async def test_request_waits_for_the_decision(
    terminal: SignedIn, answer: dict[str, str], expected: int, said: str
) -> None:
    answers = terminal.plane.responder.answers
    answers["POST /api/v1/requests"] = lambda asked: (200, {"request": "req_1", "state": "pending", **asked.json})
    answers["GET /api/v1/requests/req_1"] = 200, {"request": "req_1", **answer}
    status, out, _ = await terminal.run("request", "Press 3", "--reason", "new drive", "--minutes", "30", "--wait")
    assert (status, out) == (expected, f"{said}\n")
    [made] = [asked.json for asked in terminal.plane.responder.asked if asked.path == "/api/v1/requests"]
    assert made == {
        "machine": MACHINE, "reason": "new drive", "starts_at": None, "minutes": 30, "reference": "",
        "listed_reason": "",
    }  # fmt: skip


async def test_the_same_hours_of_every_week_are_asked_for_and_said(terminal: SignedIn) -> None:
    answers = terminal.plane.responder.answers
    week = {"weekly": "Tue,Thu 14:00-16:00", "until": "2027-03-31"}
    answers["POST /api/v1/requests"] = 200, {"request": "req_1", "state": "approved", **week}
    asked = ("request", "Press 3", "--reason", "round", "--weekly", week["weekly"], "--until")
    status, out, _ = await terminal.run(*asked, week["until"])
    assert (status, "req_1 is approved, Tue,Thu 14:00-16:00 by the plant's clock" in out) == (0, True)
    [made] = [one.json for one in terminal.plane.responder.asked if one.path == "/api/v1/requests"]
    assert week.items() <= made.items()
    assert (await terminal.run(*asked, "one day"))[0] == 2
    answers["POST /api/v1/requests"] = (
        200,
        {"request": "req_2", "state": "approved", "begin_by": "2026-11-27T18:00:00Z"},
    )
    _, out, _ = await terminal.run("request", "Press 3", "--reason", "drive")
    assert "Its time counts from the first session, which has to begin by 2026-11-2" in out


async def test_request_without_waiting_says_what_comes_next(terminal: SignedIn) -> None:
    answers = terminal.plane.responder.answers
    answers["POST /api/v1/requests"] = 200, {"request": "req_1", "state": "pending"}
    status, out, _ = await terminal.run("request", "Press 3", "--reason", "new drive")
    assert (status, out) == (
        0,
        "req_1 waits for the owner to decide, also when this command is over. Once approved: "
        "portineria connect 'Press 3'\n",
    )


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        ({"state": "approved"}, 0, "Prolonged until "),
        ({"state": "refused", "decision_reason": "the shift ends"}, 1, "ext_1 was refused: the shift ends"),
        ({"state": "pending"}, 0, "ext_1 asks for 30 minutes more; "),
    ],
)
async def test_more_time_is_asked_for_what_runs(
    terminal: SignedIn, answer: dict[str, str], expected: int, said: str
) -> None:
    made = {"extension": "ext_1", "minutes": 30, "ends_at": "2026-11-27T10:00:00Z"}
    answers = terminal.plane.responder.answers
    answers["POST /api/v1/extensions"] = 200, {**made, "state": "pending"}
    answers["GET /api/v1/extensions/ext_1"] = 200, {**made, **answer}
    wait = [] if answer["state"] == "pending" else ["--wait"]
    status, out, _ = await terminal.run("request", "Press 3", "--reason", "motor", "--more", "30", *wait)
    assert (status, out.startswith(said)) == (expected, True), out
    [asked] = [asked.json for asked in terminal.plane.responder.asked if asked.path == "/api/v1/extensions"]
    assert asked == {"machine": "Press 3", "minutes": 30, "reason": "motor"}


async def test_a_question_for_more_time_is_taken_back_without_a_reason(terminal: SignedIn) -> None:
    made = {"extension": "ext_1", "minutes": 30, "ends_at": "2026-11-27T10:00:00Z", "state": "cancelled"}
    terminal.plane.responder.answers["POST /api/v1/extensions/withdraw"] = 200, made
    status, out, _ = await terminal.run("request", "Press 3", "--withdraw-more")
    assert (status, out.startswith("ext_1 was withdrawn. The permission ends at ")) == (0, True), out
    [asked] = [asked.json for asked in terminal.plane.responder.asked if asked.path == "/api/v1/extensions/withdraw"]
    assert asked == {"machine": "Press 3"}
    for wrong in ((), ("--reason", "x", "--withdraw-more")):
        assert (await terminal.run("request", "Press 3", *wrong))[0] == 2


async def test_an_emergency_asks_nobody_and_says_what_follows(terminal: SignedIn) -> None:
    answers = terminal.plane.responder.answers
    answers["POST /api/v1/emergency"] = 200, {"request": "req_1", "state": "approved"}
    status, out, _ = await terminal.run("request", "--emergency", "Press 3", "--reason", "runs away")
    assert (status, out) == (
        0,
        "Open, for you alone, recorded. Somebody else has to sign for it. Now: portineria connect 'Press 3'\n",
    )
    [made] = [asked.json for asked in terminal.plane.responder.asked if asked.path == "/api/v1/emergency"]
    assert made == {"machine": "Press 3", "reason": "runs away"}


async def test_who_connects_while_a_request_waits_reads_that_it_waits(terminal: SignedIn) -> None:
    detail = "You have no permission for this machine now: your request req_1 waits for its owner's decision."
    refused = 403, {"code": "access.request-waits", "title": "Not allowed", "detail": detail}
    terminal.plane.responder.answers["POST /api/v1/sessions"] = refused
    status, _, err = await terminal.run("connect", "Press 3")
    assert (status, err) == (1, f"portineria: {detail}\n")


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
