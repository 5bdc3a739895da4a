# SPDX-License-Identifier: Apache-2.0
"""The whole product once per worker: two plants with equal addresses, server, two relays, two gateways, people."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portineria.demo.main_job import HeldSession, sign_in
from portineria.demo.namespace import available
from portineria.demo.processes import portineria
from portineria.demo.seed import PLANTS
from portineria.demo.stage import PlantStage, Stage
from portineria.demo.visitor import Visitor
from tests.integration.middlebox import free_port
from tests.integration.path.cip_device import CIP

OUTSTATION = CIP[0], 20000  # of DNP3, beside the demo's controller as well


class WholePath:
    """What a test does on the stage, as the people of the plant do it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.env = stage.environment("technician")
        self._visitors: dict[str, Visitor] = {}
        self._actor: subprocess.Popen[str] | None = None

    def person(self, name: str) -> Visitor:
        if name not in self._visitors:
            self._visitors[name] = self.stage.person(name)
        return self._visitors[name]

    def run(self, *words: str) -> Any:
        """A command of the technician that answers JSON."""
        return json.loads(portineria(*words, "--json", env=self.env))

    def act(self, *words: str) -> Any:
        """Somebody of the plant changes something: see ``act``."""
        if self._actor is None:
            command = [sys.executable, "-m", "tests.integration.path.act", str(self.stage.server_state)]
            self._actor = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        actor, (said, heard) = self._actor, (self._actor.stdin, self._actor.stdout)
        assert said is not None
        assert heard is not None
        said.write(json.dumps(words) + "\n")
        said.flush()
        if not (answer := heard.readline()):
            self.close()
            raise AssertionError(f"{words}: its process ended with {actor.returncode}")
        return json.loads(answer)

    def close(self) -> None:
        if self._actor is not None:
            self._actor.communicate(timeout=60)
            self._actor = None

    def may_reach(self, machine: str, minutes: int = 60) -> str:
        """Request and approval; return the request."""
        made = self.run("request", machine, "--reason", "test", "--minutes", str(minutes))
        page = self.person("Shift leader").get(f"/requests/{made['request']}/")
        done = self.person("Shift leader").submit(page, page.form("approve"))
        assert done.status == 200, done.text[:500]
        return str(made["request"])

    @contextlib.contextmanager
    def connected(self, plant: PlantStage, *options: str) -> Iterator[HeldSession]:
        with HeldSession(f"{plant.name} press 3", self.env, *options) as held:
            try:
                yield held
            finally:
                print(held.errors)  # shown by pytest when the test failed

    def session(self, session: str) -> dict[str, Any]:
        return next(row for row in self.run("sessions") if row["session"] == session)

    def until(self, what: Callable[[], Any], *, seconds: float = 30) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.1)
        return found

    def relay_pids(self) -> list[int]:
        """The relay processes that hold their locks."""
        found = []
        for lock in (self.stage.server_state / "relays").glob("*/lock"):
            with contextlib.suppress(OSError, ValueError):
                number = int(lock.read_text())
                if b"dataplane.relay" in Path(f"/proc/{number}/cmdline").read_bytes():
                    found.append(number)
        return sorted(found)


def _make_ssh_key(state: Path) -> None:
    """The technician's key, known to the machines before they start."""
    key = state / "ssh-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for plant, _ in PLANTS:
        (state / plant.lower()).mkdir()
        shutil.copy(f"{key}.pub", state / plant.lower() / "authorized_keys")


# Not of the session: as long as it stands its processes speak with each other.
@pytest.fixture(scope="package")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholePath]:
    if available().kind == "none":
        pytest.skip(f"no network namespaces: {available().reason}")
    state = tmp_path_factory.mktemp("stage")
    _make_ssh_key(state)
    reach = tuple(f"{address}:{port}" for address, port in (CIP, OUTSTATION))
    stage = Stage(state, free_port(), lambda text: None, more_relays=(free_port(),), reach=reach)
    try:
        stage.open()
        whole = WholePath(stage)
        sign_in(stage, "Technician", whole.env)
        for plant in stage.plants:
            whole.may_reach(f"{plant.name} press 3")
        yield whole
        whole.close()
    finally:
        stage.close()
