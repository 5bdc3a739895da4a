# SPDX-License-Identifier: Apache-2.0
"""The main job with the real commands and real clients: request, yes, connect, read, write, cut, proof."""

import contextlib
import json
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portineria.core.errors import Unavailable
from portineria.demo.processes import PORTINERIA, near, portineria, typed
from portineria.demo.seed import ORGANISATION, PEOPLE
from portineria.demo.stage import PlantStage, Stage

_READ_WRITE = Path(__file__).with_name("read_write.py")
_NOTICE = re.compile(r"/privacy/org_\w+/notice/")
_WAIT_S = 30.0
AUTHORISE = re.compile(r"https?://\S+/connect/authorize\S+")
Say = Callable[[str], None]


class MainJob:
    def __init__(self, stage: Stage, say: Say) -> None:
        self._stage, self._say = stage, say
        self._env = stage.environment("technician")

    def perform(self, plant: PlantStage) -> None:
        machine = f"{plant.name} press 3"
        self._say("\n1. The technician signs in and sees what may be asked for.")
        sign_in(self._stage, "Technician", self._env)
        self._say(f"   To type along, in {Path.cwd()}, while the demo is up:")
        home = near(Path(self._env["PORTINERIA_HOME"]))
        self._say(f"   $ {shlex.join(('export', f'PORTINERIA_HOME={home}'))}")
        self._shown("machines")
        publish_notice(self._stage, "Owner")
        self._say(
            f"   {_who('Owner')} tells everybody what is recorded, why, who may see it and how long: the notice.\n"
        )
        self._say("2. The technician asks; somebody of the plant says yes.")
        self._ask(machine)
        self._shown("machines")
        self._say("3. The vendor's tool reads and writes through connector, relay and gateway.")
        tool = (near(Path(sys.executable)), near(_READ_WRITE))
        self._say("   Before a session begins, its notice is read: --accept-notice shows it and acknowledges it.")
        self._shown("connect", f"{machine}/modbus", "--accept-notice", "--exec", *tool, "{address}", "{port}")
        self._say("4. While a second session is open, the owner cuts it.")
        self._cut(plant, machine)

    def _ask(self, machine: str) -> None:
        reason = "Replace the drive's parameter set"
        try:
            said = self._shown("request", machine, "--reason", reason, "--minutes", "60")
        except Unavailable as error:  # a demo that broke off here has asked already
            said = str(error)
        if (found := re.search(r"req_\w+", said)) is None:
            raise Unavailable(said)
        request = found[0]
        self._say(f"   {_who('Technician')} asks for {machine}, 60 minutes: “{reason}”")
        approve(self._stage, "Shift leader", request)
        self._say(f"   {_who('Shift leader')} reads {request} in the console and approves it.")

    def _run(self, *words: str) -> str:
        return portineria(*words, env=self._env)

    def _shown(self, *words: str) -> str:
        self._say(f"\n   $ {shlex.join((*typed(), *words))}")
        said = self._run(*words)
        for line in said.rstrip().splitlines():
            self._say(f"   {line}")
        self._say("")
        return said

    def _cut(self, plant: PlantStage, machine: str) -> None:
        with HeldSession(machine, self._env) as held:
            held.touch("modbus")
            writes = [row for row in journal(plant, "write") if not row.get("exception")]
            opened = journal(plant, "connect")
            self._say(f"   {held.session} is live; the device's own journal has {len(opened)} connections so far.")
            cut(self._stage, "Owner", held.session, "Line starts again")
            proof = self._receipt(held.session)
        words = "cut, proven by the gateway's signed receipt" if proof["proven_cut"] else f"ended ({proof['ending']})"
        self._say(f"   {held.session}: {words}; {proof['to_device']} bytes to the device, {proof['from_device']} back.")
        self._say(
            f"   The device's own journal: last write taken {writes[-1].get('address')} = {writes[-1].get('values')}.\n"
        )

    def _receipt(self, session: str) -> dict[str, Any]:
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            for row in json.loads(self._run("sessions", "--json")):
                if row["session"] == session and row["state"] == "ended":
                    return dict(row)
            time.sleep(0.1)
        raise Unavailable(f"no receipt for {session}")


class HeldSession:
    """``portineria connect`` in the background, as a technician leaves it open in a terminal."""

    def __init__(self, machine: str, env: dict[str, str], *options: str) -> None:
        self._process = subprocess.Popen(
            [*PORTINERIA, "connect", machine, "--json", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, start_new_session=True,
        )  # fmt: skip
        self.errors = ""
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        try:
            found = self._opened(machine)
        except BaseException:
            self.close()
            raise
        self.session: str = found["session"]
        self.doors: dict[str, tuple[str, int]] = {
            door["protocol"]: (door["address"], door["port"]) for door in found["doors"]
        }
        self.pid = self._process.pid

    def _opened(self, machine: str) -> Any:
        """What it prints when its doors are open. Raise Unavailable when they are not going to be."""
        assert self._process.stdout is not None  # noqa: S101
        text = ""
        for line in self._process.stdout:
            text += line
            with contextlib.suppress(ValueError):
                return json.loads(text)
        raise Unavailable(f"connect {machine}: {self._failed()}")

    def _read_errors(self) -> None:
        assert self._process.stderr is not None  # noqa: S101
        for line in self._process.stderr:
            self.errors += line

    def _failed(self) -> str:
        self._process.wait(_WAIT_S)
        self._reader.join(_WAIT_S)
        return self.errors.strip()

    def touch(self, protocol: str) -> None:
        """One real read and write through this session."""
        address, port = self.doors[protocol]
        subprocess.run([sys.executable, str(_READ_WRITE), address, str(port)], check=True, capture_output=True)

    def wait(self, seconds: float = _WAIT_S) -> int:
        return self._process.wait(seconds)

    def __enter__(self) -> "HeldSession":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


def _who(name: str) -> str:
    """With the supplier or the plant's owner they belong to."""
    return next(f"{name} of {supplier or ORGANISATION}" for known, _, _, supplier, _ in PEOPLE if known == name)


def sign_in(stage: Stage, person: str, env: dict[str, str], *options: str) -> None:
    """``portineria login`` as the terminal, the visitor as the browser that it opens."""
    with subprocess.Popen(
        [*PORTINERIA, "login", stage.console, "--no-browser", *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env,
    ) as login:  # fmt: skip
        assert login.stdout is not None  # noqa: S101
        address = next((found[0] for line in login.stdout if (found := AUTHORISE.search(line))), "")
        visitor = stage.person(person)
        page = visitor.get(address)
        visitor.submit(page, page.form("challenge"))
        if visitor.redirected is None or urllib.parse.urlsplit(visitor.redirected).hostname != "127.0.0.1":
            login.kill()
            raise Unavailable(f"{person} could not confirm this computer")
        visitor.get(visitor.redirected)
        rest = login.stdout.read()
    if login.returncode != 0:
        raise Unavailable(f"portineria login: {rest.strip()}")


def publish_notice(stage: Stage, person: str) -> None:
    """In the words that the console offers. A demo that goes on has one already."""
    visitor = stage.person(person)
    page = visitor.get("/privacy/")
    if "/notices/" in page.text:
        return
    if (found := _NOTICE.search(page.text)) is None:
        raise Unavailable(f"{person} finds nowhere to write a notice")
    page = visitor.get(found[0])
    done = visitor.submit(page, page.form("en_what"))
    if not done.url.endswith("/privacy/"):
        raise Unavailable(f"{person} could not publish the notice: {done.status}")


def approve(stage: Stage, person: str, request: str) -> None:
    visitor = stage.person(person)
    page = visitor.get(f"/requests/{request}/")
    done = visitor.submit(page, page.form("approve"))
    if done.status >= 400:
        raise Unavailable(f"{person} could not approve {request}: {done.status}")


def cut(stage: Stage, person: str, session: str, reason: str) -> None:
    visitor = stage.person(person)
    page = visitor.get(f"/sessions/{session}/cut/")
    done = visitor.submit(page, page.form("reason"), reason=reason)
    if done.status >= 400:
        raise Unavailable(f"{person} could not cut {session}: {done.status}")


def journal(plant: PlantStage, what: str, device: str = "controller") -> list[dict[str, Any]]:
    """What really reached the device, as the simulated device itself wrote it down."""
    if not plant.journal.exists():
        return []
    rows = (json.loads(line) for line in plant.journal.read_text().splitlines() if line)
    return [row for row in rows if row["what"] == what and row["device"] == device]
