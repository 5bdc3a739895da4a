# SPDX-License-Identifier: Apache-2.0
"""An older version beside this one, and then replaced by it.

``trial``: its gateways and connector with server and relays of this version: the main job, and what it leaves.
``upgrade``: its own server and database too, brought to this version while 40 MB are on their way.
``PORTINERIA_OLDER_ENDS`` and ``PORTINERIA_OLDER_SERVER`` name the commits, run with this environment's libraries.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
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
from tests.integration.path.test_upgrade import Downloading

# Of before the first release, as far back as they go: 280 commits, 190 with a server that browser libraries of now fit.
OLDER, OLDER_SERVER = "68b2795", "575aff3"
VENDOR = "src/portineria/control/console/static/vendor"
FILE_BYTES, ENDED_S = 40_000_000, 60.0


def source(name: str, folder: Path) -> Path:
    """``src`` as it was then, with the browser libraries of now, which are in no commit. Raise Missing."""
    done = subprocess.run(["git", "archive", name, "src"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise Missing(f"{name}: {done.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as tar:
        tar.extractall(folder, filter="data")
    shutil.copytree(ROOT / VENDOR, folder / VENDOR)
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


def main_job(stage: Stage, env: Mapping[str, str]) -> Iterator[str]:
    """What a technician and an owner do; yields what did not happen."""
    machine = f"{stage.plants[0].name} press 3"
    asked(stage, env, machine)
    with HeldSession(machine, dict(env)) as held:
        held.touch("modbus")
        with urlopen(f"http://{held.doors['http'][0]}:{held.doors['http'][1]}/file?bytes={FILE_BYTES}") as answer:
            if answer.read() != b"".join(file_chunks(FILE_BYTES, f"{stage.plants[0].name} press line 3")):
                yield "the file is another one"
        yield from cut_and_proven(stage, env, held)
    print(portineria("ledger", "verify", "--state", str(stage.server_state)).strip())


def asked(stage: Stage, env: Mapping[str, str], machine: str) -> None:
    sign_in(stage, "Technician", dict(env))
    made = json.loads(portineria("request", machine, "--reason", "test", "--minutes", "60", "--json", env=env))
    approve(stage, "Shift leader", made["request"])


def cut_and_proven(stage: Stage, env: Mapping[str, str], held: HeldSession) -> Iterator[str]:
    cut(stage, "Owner", held.session, "test")
    held.wait()
    if not until(lambda: session_of(env, held.session)["state"] == "ended"):
        yield f"no receipt: {session_of(env, held.session)}"
    elif not session_of(env, held.session)["proven_cut"]:
        yield f"its end is not proven: {session_of(env, held.session)}"


def until(what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + ENDED_S
    while not (so := what()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return so


def session_of(env: Mapping[str, str], session: str) -> dict[str, object]:
    rows = json.loads(portineria("sessions", "--json", env=env))
    return next(dict(row) for row in rows if row["session"] == session)


def trial(folder: Path, _bundle: Path) -> dict[str, object]:
    commit = os.environ.get("PORTINERIA_OLDER_ENDS", OLDER)
    stage = OlderEnds(folder / "stage", source(commit, folder / "older"))
    return {"older": commit, "faults": performed(stage, lambda: main_job(stage, stage.environment("technician")))}


def upgrade(folder: Path, _bundle: Path) -> dict[str, object]:
    """All of it is older; then its database and its server are of this version, and the rest stays as it is."""
    commit = os.environ.get("PORTINERIA_OLDER_SERVER", OLDER_SERVER)
    stage = Stage(folder / "stage", free_port(), print, more_relays=(free_port(),))
    with pythonpath(str(source(commit, folder / "older"))):
        return {"older": commit, "faults": performed(stage, lambda: replaced_under_way(stage, folder))}


def performed(stage: Stage, work: Callable[[], Iterator[str]]) -> list[str]:
    try:
        stage.open()
        return list(work())
    except Unavailable as why:
        return [str(why)]
    finally:
        stage.close()


def replaced_under_way(stage: Stage, folder: Path) -> Iterator[str]:
    env, plant, state = stage.environment("technician"), stage.plants[0], str(stage.server_state)
    asked(stage, env, f"{plant.name} press 3")
    with HeldSession(f"{plant.name} press 3", dict(env)) as held:
        download = Downloading(held.doors["http"], f"{plant.name} press line 3")
        with download.going_on(), pythonpath(""):
            identity = ("--new-identity", str(folder / "identity.txt"))
            print(portineria("backup", str(folder / "first.age"), *identity, "--state", state).strip())
            [recipient] = re.findall(r"age1\w+", (folder / "identity.txt").read_text())
            way_back = ("--backup", str(folder / "before.age"), "--recipient", recipient)
            print(portineria("upgrade", *way_back, "--state", state).strip())
            if not 0 < download.taken < FILE_BYTES:
                yield "nothing was on its way meanwhile"
            stage.processes.stop("server")
            stage.start_server()
        if not until(lambda: session_of(env, held.session)["state"] == "live"):
            yield f"the session did not outlive it: {session_of(env, held.session)}"
        yield from cut_and_proven(stage, env, held)
    with pythonpath(""):
        print(portineria("ledger", "verify", "--state", state).strip())
