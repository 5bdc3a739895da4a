# SPDX-License-Identifier: Apache-2.0
"""Every end of a permission, seen from the tool, the device and the register."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from portineria.core.errors import Unavailable
from portineria.demo.main_job import cut
from portineria.demo.processes import portineria
from tests.integration.path.conftest import WholePath

_READ = bytes.fromhex("0001 0000 0006 01 03 0064 0001")  # Modbus: read holding register 100 of unit 1


def _tool(door: tuple[str, int]) -> socket.socket:
    """A connection over which the controller has answered; the caller closes it."""
    tool = socket.create_connection(door, timeout=15)
    tool.sendall(_READ)
    assert tool.recv(100)[7] == 3
    return tool


def _closed_within(tool: socket.socket, seconds: float) -> float:
    start = time.monotonic()
    tool.settimeout(seconds)
    with contextlib.suppress(ConnectionError):
        assert tool.recv(1) == b""
    return time.monotonic() - start


@pytest.fixture
def short_drain(path: WholePath) -> Iterator[str]:
    machine = "Nagoya press 3"
    path.act("drain_seconds", machine, "4")
    yield machine
    path.act("drain_seconds", machine, "120")
    path.may_reach(machine)


def test_a_cut_closes_the_tools_connection_and_is_proven_by_the_gateways_receipt(path: WholePath) -> None:
    with path.connected(path.stage.plants[0]) as held:
        with _tool(held.doors["modbus"]) as tool:
            cut(path.stage, "Owner", held.session, "Line starts again")
            assert _closed_within(tool, 5) < 5
        row = path.until(lambda: (found := path.session(held.session))["state"] == "ended" and found)
        assert row["ending"] == "cut"
        assert held.wait() == 1
    codes = path.act("events", held.session)
    assert codes.index("remote_sessions.session.cutting") < codes.index("session.ended")


def test_a_cut_session_opens_nothing_again_and_the_grant_still_allows_a_new_one(path: WholePath) -> None:
    with path.connected(path.stage.plants[0]) as held:
        _tool(held.doors["modbus"]).close()
    with path.connected(path.stage.plants[0]) as again:
        assert again.session != held.session
        _tool(again.doors["modbus"]).close()


def test_a_revoked_grant_lets_what_runs_finish_for_a_while_and_starts_nothing_new(
    path: WholePath, short_drain: str
) -> None:
    with path.connected(path.stage.plants[1]) as held:
        with _tool(held.doors["modbus"]) as tool:
            assert path.act("revoke_grants", short_drain)
            path.until(lambda: path.session(held.session)["state"] == "draining")
            tool.sendall(_READ)
            assert tool.recv(100)[7] == 3  # what runs goes on
            with socket.create_connection(held.doors["modbus"], timeout=10) as late:
                assert _closed_within(late, 10) < 10  # nothing new
            assert _closed_within(tool, 15) < 15
        path.until(lambda: path.session(held.session)["state"] == "ended")
        assert path.session(held.session)["ending"] == "drained"
    with pytest.raises(Unavailable):
        portineria("connect", short_drain, "--json", env=path.env)


def test_disabling_the_supplier_cuts_at_once(path: WholePath) -> None:
    with path.connected(path.stage.plants[0]) as held, _tool(held.doors["modbus"]) as tool:
        path.act("set_supplier", "Drive Works", "no")
        try:
            assert _closed_within(tool, 8) < 8
        finally:
            path.act("set_supplier", "Drive Works", "yes")
    path.until(lambda: "session.ended" in path.act("events", held.session))


def test_for_the_rival_the_machine_does_not_exist(path: WholePath) -> None:
    from portineria.demo.main_job import sign_in

    env = path.stage.environment("rival")
    sign_in(path.stage, "Rival", env)
    assert "Torino" not in portineria("machines", env=env)
    answers = []
    for name in ("Torino press 3", "No such machine"):
        with pytest.raises(Unavailable) as refused:
            portineria("request", name, "--reason", "curiosity", env=env)
        answers.append(str(refused.value).partition(": ")[2].replace(name, "NAME"))
    assert answers[0] == answers[1]


def test_the_register_is_whole_after_all_that(path: WholePath) -> None:
    assert path.act("chain") > 50
