# SPDX-License-Identifier: Apache-2.0
"""Every end of a permission, seen from the tool, the device and the register."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from portineria.core.errors import Unavailable
from portineria.demo.main_job import cut, journal
from portineria.demo.processes import portineria
from tests.integration.path.conftest import WholePath
from tests.integration.path.tool import SOON_S, ask, closed_within, tool_at

DRAIN_S = 120  # of the stage's machines


@pytest.fixture
def short_drain(path: WholePath) -> Iterator[str]:
    machine = "Nagoya press 3"
    path.act("drain_seconds", machine, "25")
    yield machine
    path.act("drain_seconds", machine, str(DRAIN_S))
    path.may_reach(machine)


def test_a_cut_closes_the_tools_connection_and_is_proven_by_the_gateways_receipt(path: WholePath) -> None:
    with path.connected(path.stage.plants[0]) as held:
        with tool_at(held.doors["modbus"]) as tool:
            cut(path.stage, "Owner", held.session, "Line starts again")
            closed_within(tool, SOON_S)
        row = path.until(lambda: (found := path.session(held.session))["state"] == "ended" and found)
        assert (row["ending"], row["proven_cut"]) == ("cut", True)
        assert held.wait() == 1
    codes = path.act("events", held.session)
    assert codes.index("remote_sessions.session.cutting") < codes.index("session.ended")


def test_a_cut_session_opens_nothing_again_and_the_grant_still_allows_a_new_one(path: WholePath) -> None:
    with path.connected(path.stage.plants[0]) as held:
        tool_at(held.doors["modbus"]).close()
        cut(path.stage, "Owner", held.session, "Line starts again")
        assert held.wait() == 1
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(held.doors["modbus"], timeout=10)
    with path.connected(path.stage.plants[0]) as again:
        assert again.session != held.session
        tool_at(again.doors["modbus"]).close()


def test_a_revoked_grant_lets_what_runs_finish_for_a_while_and_starts_nothing_new(
    path: WholePath, short_drain: str
) -> None:
    plant = path.stage.plants[1]
    with path.connected(plant) as held:
        with tool_at(held.doors["modbus"]) as tool:
            opened = len(journal(plant, "connect"))
            assert path.act("revoke_grants", short_drain)
            path.until(lambda: path.session(held.session)["state"] == "draining")
            ask(tool)  # what runs goes on
            address, at_once = held.doors["modbus"], contextlib.suppress(ConnectionResetError)
            with at_once, socket.create_connection(address, timeout=10) as late:  # nothing new
                closed_within(late, SOON_S)
            assert len(journal(plant, "connect")) == opened
            closed_within(tool, SOON_S)
        path.until(lambda: path.session(held.session)["state"] == "ended")
        assert path.session(held.session)["ending"] == "drained"
    with pytest.raises(Unavailable):
        portineria("connect", short_drain, "--json", env=path.env)


def test_disabling_the_supplier_cuts_at_once(path: WholePath) -> None:
    with path.connected(path.stage.plants[0]) as held, tool_at(held.doors["modbus"]) as tool:
        path.act("set_supplier", "Drive Works", "no")
        try:
            closed_within(tool, SOON_S)
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
