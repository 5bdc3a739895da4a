# SPDX-License-Identifier: Apache-2.0
"""The demo's world: two plants in their networks, the server, two gateways that were enrolled and admitted.

Everything runs as the processes a customer would run, started by the same commands; tests and benchmarks use it too.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portineria.core.errors import Unavailable
from portineria.demo.namespace import UPLINKS, Kind, PlantNetwork, available
from portineria.demo.plant.layout import places
from portineria.demo.processes import PORTINERIA, Processes, portineria
from portineria.demo.seed import PEOPLE, PLANTS
from portineria.demo.visitor import Visitor

_BASE, _LOOPBACK_BASE = "192.168.10.10", "127.0.10.10"
_START_S = 60.0
Say = Callable[[str], None]


@dataclass
class PlantStage:
    """One plant of the demo, with the gateway in front of it."""

    name: str
    network: PlantNetwork
    state: Path
    gateway: str = ""
    printed: str = ""  # what enrolling said on the gateway's own console
    services: list[dict[str, Any]] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        return self.state / "journal.jsonl"

    @property
    def gateway_state(self) -> Path:
        return self.state / "gateway"


class Stage:
    """``open`` or nothing: what it started is ended by ``close``. A second ``open`` on the same folder resumes."""

    def __init__(
        self, state: Path, port: int, say: Say, *, kind: Kind | None = None, more_relays: tuple[int, ...] = (),
        lease_s: int = 30, reach: tuple[str, ...] = (), public_name: str = "", loopback: str = _LOOPBACK_BASE,
    ) -> None:  # fmt: skip
        """``more_relays``: ports of further relays; ``port`` is the first one's and the console's.

        ``reach``: what the gateways may dial beside the devices of their plants. ``public_name``: by which gateways and
        connectors find console and relays, over HTTPS; without it they have addresses of this machine, over HTTP.
        ``loopback``: the address before the first device's where plants have no network of their own.
        """
        self.state, self.port, self._say = state, port, say
        self.kind = available().kind if kind is None else kind
        self._ports, self._lease_s, self._reach = (port, *more_relays), lease_s, reach
        self._public_name, self._loopback = public_name, loopback
        self._scheme = "https" if public_name else "http"
        self.processes = Processes(state / "logs")
        self.plants: list[PlantStage] = []
        self._codes: dict[str, str] = {}
        self._fresh = not (self.server_state / "portineria.sqlite3").exists()

    @property
    def server_state(self) -> Path:
        return self.state / "server"

    @property
    def console(self) -> str:
        return f"{self._scheme}://localhost:{self.port}"

    @property
    def public_url(self) -> str:
        return f"{self._scheme}://{self._public_name or 'localhost'}:{self.port}"

    def open(self) -> None:
        PlantNetwork.sweep()
        self._open_networks()
        self._start_plants()
        self._start_server()
        self._wait_for_plants()
        if self._fresh:
            self._say("Enrolling the gateways: keys are made there, the code's secret is never sent …")
            self._enrol()
        for plant in self.plants:
            plant.gateway = plant.gateway or (plant.state / "gateway.id").read_text()
            self.start_gateway(plant)
        for plant in self.plants:
            self._wait_for_link(plant)

    def close(self) -> None:
        self.processes.close()
        for plant in self.plants:
            plant.network.close()

    # -- the plants ------------------------------------------------------------------------------------------

    def _open_networks(self) -> None:
        names = [name for name, _ in PLANTS]
        if self.kind is Kind.NONE:
            names = names[:1]  # without namespaces two plants cannot own the same addresses
        for name in names:
            state = self.state / name.lower()
            state.mkdir(parents=True, exist_ok=True)
            plant = PlantStage(name, PlantNetwork(name.lower(), kind=self.kind), state)
            self.plants.append(plant)
            plant.network.open()
            if plant.network.missing:
                self._say(plant.network.missing)

    def _start_plants(self) -> None:
        for seed, plant in enumerate(self.plants, start=3):
            argv = [sys.executable, "-m", "portineria.demo.plant", "--name", f"{plant.name} press line 3"]
            argv += ["--address", self._base, "--state", str(plant.state), "--journal", str(plant.journal)]
            argv += ["--seed", str(seed)] + (["--high-ports"] if self.kind is Kind.NONE else [])
            name = f"plant-{plant.name.lower()}"
            self.processes.log(name).unlink(missing_ok=True)
            self.processes.start(name, plant.network.command(argv, where="floor"))

    def _wait_for_plants(self) -> None:
        for plant in self.plants:
            name = f"plant-{plant.name.lower()}"
            self.processes.wait_until(name, lambda name=name: self._services(name) is not None, seconds=_START_S)  # type: ignore[misc]
            plant.services = self._services(name) or []

    def _services(self, name: str) -> list[dict[str, Any]] | None:
        for line in self.processes.log(name).read_text(errors="replace").splitlines():
            if line.startswith("{"):
                return list(json.loads(line)["services"])
        return None

    @property
    def _base(self) -> str:
        return self._loopback if self.kind is Kind.NONE else _BASE

    # -- the server ------------------------------------------------------------------------------------------

    def _start_server(self) -> None:
        self.server_state.mkdir(parents=True, exist_ok=True)
        relays, inner = [], [str(UPLINKS)] if self.kind is Kind.ROOT else []
        for port in self._ports:
            for plant in self.plants[1:]:
                plant.network.uplink(port)  # lays the way out of this plant too
            host, _ = self.plants[0].network.uplink(port)
            # The cables of the plants, and loopback: the accounts are published, so nobody else finds a door here.
            listen = "+".join(f"{address}:{port}" for address in dict.fromkeys(("127.0.0.1", host)))
            relays.append(f"{listen}={self._public_name or host}:{port}")
        toml = f'public_url = "{self.public_url}"\nrelays = {json.dumps(relays)}\nlease_s = {self._lease_s}\n'
        toml += f"inner_networks = {json.dumps(inner)}\n"
        (self.server_state / "portineria.toml").write_text(toml)
        if self._fresh:
            portineria("setup", "--state", str(self.server_state), "--bare")
            self._codes = self.seed("people")
        self.start_server()

    def start_server(self) -> None:
        self.processes.start("server", [*PORTINERIA, "serve", "--state", str(self.server_state)])
        self.processes.wait_until("server", self._answers, seconds=_START_S)

    def _answers(self) -> bool:
        try:
            return Visitor(self.console).get("/accounts/login/").status == 200
        except Unavailable:
            return False

    def seed(self, what: str, *more: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "portineria.demo.seed", str(self.server_state), what, *more],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Unavailable(f"seeding {what}: {done.stderr.strip()[-800:]}")
        return dict(json.loads(done.stdout))

    def person(self, name: str) -> Visitor:
        """This person, signed in at the console with password and second factor."""
        from portineria.demo.seed import PASSWORD

        mail, secret = next((mail, secret) for known, mail, _, _, secret in PEOPLE if known == name)
        visitor = Visitor(self.console)
        visitor.sign_in(mail, PASSWORD, secret)
        return visitor

    # -- the gateways ----------------------------------------------------------------------------------------

    def _enrol(self) -> None:
        for plant in self.plants:
            host, port = self.plants[0].network.uplink(self.port)
            scheme = "https" if self.kind is Kind.ROOT else self._scheme  # off loopback there is TLS only
            argv = ["gateway", "enrol", f"{scheme}://{host}:{port}", self._codes[plant.name], "--no-wait"]
            argv += ["--state", str(plant.gateway_state), "--name", f"{plant.name} gateway"]
            devices = places(self._base, high_ports=self.kind is Kind.NONE)
            for reach in (*(f"{place.address}:{place.port}" for place in devices), *self._reach):
                argv += ["--reach", reach]
            if self.kind is Kind.NONE:
                argv.append("--loopback-devices")
            done = subprocess.run(
                plant.network.command([*PORTINERIA, *argv]), capture_output=True, text=True, timeout=60, check=False
            )
            if done.returncode != 0:
                raise Unavailable(f"enrolling {plant.name}: {done.stderr.strip()[-800:]}")
            plant.printed = done.stdout
        self._admit()
        ids = [plant.gateway for plant in self.plants]
        self.seed("machines", self._base, "high" if self.kind is Kind.NONE else "standard", *ids)

    def _admit(self) -> None:
        """As the owner does in the console: compare what the gateway itself printed with what it shows, then admit."""
        shown = {plant.name: _fingerprint(plant.printed) for plant in self.plants}
        admitted = self.seed("admit", *shown.values())
        for plant in self.plants:
            if plant.name not in admitted:
                raise Unavailable(f"{plant.name}: the console shows another fingerprint than {shown[plant.name]}")
            plant.gateway = admitted[plant.name]
            (plant.state / "gateway.id").write_text(plant.gateway)
            self._say(f"  {plant.name}: fingerprint {shown[plant.name][:17]}… is the same on both sides; admitted")

    def start_gateway(self, plant: PlantStage) -> int:
        _status(plant).unlink(missing_ok=True)  # what the one before it said last: that it was linked
        return self.processes.start(f"gateway-{plant.name.lower()}", plant.network.command(_run(plant)))

    def _wait_for_link(self, plant: PlantStage) -> None:
        name = f"gateway-{plant.name.lower()}"
        self.processes.wait_until(name, lambda: self.linked(plant) > 0, seconds=_START_S)

    def linked(self, plant: PlantStage) -> int:
        """How many links the gateway has, once it knows the time: what it says in its status file."""
        try:
            status = json.loads(_status(plant).read_text())
        except (OSError, ValueError):
            return 0
        return len(status["links"]) if status["time"] else 0

    def environment(self, person: str) -> dict[str, str]:
        """For the connector of this person: a home of its own, so that several can live on one machine."""
        home = self.state / "connectors" / person.lower().replace(" ", "-")
        home.mkdir(parents=True, exist_ok=True)
        return {**os.environ, "PORTINERIA_HOME": str(home)}


def _run(plant: PlantStage) -> list[str]:
    return [*PORTINERIA, "gateway", "run", "--state", str(plant.gateway_state)]


def _status(plant: PlantStage) -> Path:
    return plant.gateway_state / "status.json"


def _fingerprint(printed: str) -> str:
    """The eight groups of eight hexadecimal digits in what `gateway enrol` printed."""
    found = re.search(r"(?:[0-9a-f]{8} ){7}[0-9a-f]{8}", printed)
    if found is None:
        raise Unavailable(f"no fingerprint in: {printed[:300]}")
    return found[0]
