# SPDX-License-Identifier: Apache-2.0
"""An older version's gateways and connector with the server and relays of this one: the main job, and what it leaves.

``PORTINERIA_OLDER_ENDS`` names the commit they are taken from, with this environment's libraries.
"""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from portineria.core.errors import Unavailable
from portineria.demo.main_job import HeldSession, approve, cut, sign_in
from portineria.demo.plant.panel import file_chunks
from portineria.demo.processes import PORTINERIA, portineria
from portineria.demo.stage import PlantStage, Stage
from tests.deployment.debian import ROOT, Missing
from tests.integration.middlebox import free_port

OLDER = "68b2795"  # of before the first release: as old as what its wire is held to
FILE_BYTES, ENDED_S = 40_000_000, 60.0


def source(commit: str, folder: Path) -> Path:
    """``src`` as it was then. Raise Missing."""
    done = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise Missing(f"{commit}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder / "src"


class OlderEnds(Stage):
    """What runs at the plants and at the technician's is of another source; server and relays are of this one."""

    def __init__(self, state: Path, older: Path) -> None:
        super().__init__(state, free_port(), print, more_relays=(free_port(),))
        self._older = {"PYTHONPATH": str(older)}

    def _enrol(self) -> None:
        with pythonpath(self._older["PYTHONPATH"]):
            super()._enrol()

    def start_gateway(self, plant: PlantStage) -> int:
        argv = [*PORTINERIA, "gateway", "run", "--state", str(plant.gateway_state)]
        return self.processes.start(f"gateway-{plant.name.lower()}", plant.network.command(argv), env=self._older)

    def environment(self, person: str) -> dict[str, str]:
        return {**super().environment(person), **self._older}

    def seed(self, what: str, *more: str) -> dict[str, Any]:
        """In the database of this version."""
        with pythonpath(""):
            return super().seed(what, *more)


@contextmanager
def pythonpath(place: str) -> Iterator[None]:
    """For every process that is started meanwhile."""
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = place
    try:
        yield
    finally:
        os.environ["PYTHONPATH"] = before


def main_job(stage: OlderEnds) -> Iterator[str]:
    """What a technician and an owner do; yields what did not happen."""
    env, plant = stage.environment("technician"), stage.plants[0]
    machine = f"{plant.name} press 3"
    sign_in(stage, "Technician", env)
    made = json.loads(portineria("request", machine, "--reason", "test", "--minutes", "60", "--json", env=env))
    approve(stage, "Shift leader", made["request"])
    with HeldSession(machine, env) as held:
        held.touch("modbus")
        with urlopen(f"http://{held.doors['http'][0]}:{held.doors['http'][1]}/file?bytes={FILE_BYTES}") as answer:
            if answer.read() != b"".join(file_chunks(FILE_BYTES, f"{plant.name} press line 3")):
                yield "the file is another one"
        cut(stage, "Owner", held.session, "test")
        held.wait()
        deadline = time.monotonic() + ENDED_S
        while (row := session_of(env, held.session))["state"] != "ended":
            if time.monotonic() > deadline:
                yield f"no receipt: {row}"
                return
            time.sleep(0.2)
        if not row["proven_cut"]:
            yield f"its end is not proven: {row}"
    print(portineria("ledger", "verify", "--state", str(stage.server_state)).strip())


def session_of(env: Mapping[str, str], session: str) -> dict[str, object]:
    rows = json.loads(portineria("sessions", "--json", env=env))
    return next(dict(row) for row in rows if row["session"] == session)


def trial(folder: Path, _bundle: Path) -> dict[str, object]:
    commit = os.environ.get("PORTINERIA_OLDER_ENDS", OLDER)
    stage = OlderEnds(folder / "stage", source(commit, folder / "older"))
    try:
        stage.open()
        found = list(main_job(stage))
    except Unavailable as why:
        found = [str(why)]
    finally:
        stage.close()
    return {"faults": found, "older": commit}
