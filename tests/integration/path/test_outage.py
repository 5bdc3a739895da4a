# SPDX-License-Identifier: Apache-2.0
"""The control plane away for longer than a lease, in the real processes: permitted work must not pay for it later."""

import contextlib
import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.path.conftest import WholePath
from tests.integration.path.tool import ask, tool_at

DRAIN_S = 8
_OVERDUE_S = 10  # the control plane cuts a drain that is over for so long and not reported


def _kill_server(path: WholePath) -> None:
    path.stage.processes.kill("server", signal.SIGKILL)
    path.until(lambda: "server" in path.stage.processes.dead())


def _restart_server(path: WholePath) -> None:
    _kill_server(path)
    path.stage.start_server()


def _copy(source: Path, target: Path) -> None:
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.fixture
def short_lease(path: WholePath, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    machine = "Torino press 3"
    path.act("drain_seconds", machine, str(DRAIN_S))
    monkeypatch.setenv("PORTINERIA_SERVER_LEASE_S", "3")
    _restart_server(path)
    path.until(lambda: path.act("links", machine), seconds=60)  # who is connected is told to it anew
    yield machine
    monkeypatch.delenv("PORTINERIA_SERVER_LEASE_S")
    _restart_server(path)
    path.act("drain_seconds", machine, "120")


@pytest.mark.timeout(300)
def test_permitted_work_outlives_an_outage_longer_than_its_lease_and_the_drain_it_began(
    path: WholePath, short_lease: str
) -> None:
    with path.connected(path.stage.plants[0]) as held, tool_at(held.doors["modbus"]) as tool:
        path.until(lambda: path.session(held.session)["state"] == "live")
        server = path.stage.processes.pid("server")
        os.kill(server, signal.SIGSTOP)
        try:
            # The gateway drains by itself, and says so to the technician.
            path.until(lambda: "the gateway has not heard from the server lately" in held.errors, seconds=60)
        finally:
            os.kill(server, signal.SIGCONT)
        path.until(lambda: "session.resumed" in path.act("events", held.session))
        assert path.session(held.session)["state"] == "live"
        assert "The permission goes on" in held.errors
        codes = path.act("events", held.session)
        assert codes.index("session.draining") < codes.index("session.resumed")
        time.sleep(DRAIN_S + _OVERDUE_S + 2)  # what is tested is that nothing happens in this time
        ask(tool)
        assert path.session(held.session)["state"] == "live"


def _status(path: WholePath) -> dict[str, Any]:
    return dict(json.loads((path.stage.plants[0].gateway_state / "status.json").read_text()))


@pytest.mark.timeout(300)
def test_after_a_backup_was_put_back_gateways_report_and_new_work_begins(path: WholePath, tmp_path: Path) -> None:
    plant, database = path.stage.plants[0], path.stage.server_state / "portineria.sqlite3"
    path.may_reach(f"{plant.name} press 3")
    path.until(lambda: _status(path)["events_waiting"] == 0)
    _copy(database, tmp_path / "backup")
    with path.connected(plant) as held, tool_at(held.doors["modbus"]) as tool:
        ask(tool)
    path.until(lambda: path.session(held.session)["state"] == "ended" and _status(path)["events_waiting"] == 0)
    links = path.act("links", f"{plant.name} press 3")
    _kill_server(path)
    _copy(tmp_path / "backup", database)
    path.stage.start_server()
    # All of them: what one relay said of its gateways may be corrected by the next word of another.
    path.until(lambda: path.act("links", f"{plant.name} press 3") == links, seconds=60)
    with path.connected(plant) as held, tool_at(held.doors["modbus"]) as tool:
        ask(tool)
    path.until(lambda: path.session(held.session)["state"] == "ended" and _status(path)["events_waiting"] == 0)
    assert path.act("chain")
    assert path.act("codes", plant.gateway).count("estate.gateway.events-lost") == 1
