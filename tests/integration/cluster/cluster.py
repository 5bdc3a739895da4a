# SPDX-License-Identifier: Apache-2.0
"""Portineria on several machines: two web processes, two workers, two relays, each in a network of its own; PostgreSQL,
NATS and HAProxy beside them; a plant with its gateway in front of all.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from portineria.demo.namespace import Kind
from portineria.demo.processes import PORTINERIA, portineria
from portineria.demo.stage import Stage
from tests.integration.cluster.cable import SERVERS, Cable, ip
from tests.integration.middlebox import free_port
from tests.integration.postgresql_server import Server

ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs/howto/haproxy.cfg"
CONSOLE = "127.0.20.1"  # as all public names do, it leads to HAProxy
RELAYS = {"relay-1": "127.0.20.2", "relay-2": "127.0.20.3"}
WEBS, WORKERS = ("web-1", "web-2"), ("worker-1", "worker-2")
NODES = (*WEBS, *WORKERS, *RELAYS)
_PORT = 8443  # of every node, in its own network
_START_S = 60.0
_READY = {"web": '"serving"', "worker": "worker.waiting", "relay": "relay.listening"}


class Cluster(Stage):
    def __init__(self, state: Path, *, lease_s: int = 30) -> None:
        super().__init__(
            state, free_port(), lambda text: None, kind=Kind.NONE, lease_s=lease_s, public_name=CONSOLE,
            loopback="127.0.21.10",
        )  # fmt: skip
        self.cables = {name: Cable(number) for number, name in enumerate(NODES, 1)}
        self.bus_port, self.database_port = free_port(), free_port()
        self.database = Server(
            ("fsync=off", "full_page_writes=off", "max_connections=200", f"listen_addresses={SERVERS}",
             f"port={self.database_port}")
        )  # fmt: skip
        self._fresh = True

    @property
    def console(self) -> str:
        return self.public_url

    # -- what the stage opens --------------------------------------------------------------------------------------

    def _start_server(self) -> None:
        ip("addr", "replace", f"{SERVERS}/32", "dev", "lo")
        for cable in self.cables.values():
            cable.open()
        self._start_database()
        self._set_up()
        self.start_bus()
        for relay in RELAYS:
            self._furnish_relay(relay)
        for name in (*WEBS, *WORKERS):
            self._furnish(name)
        for name in NODES:
            self.start(name)
        self._start_haproxy()
        self.processes.wait_until("haproxy", self._answers, seconds=_START_S)
        self._codes = self.seed("people")

    def _start_database(self) -> None:
        with (self.database.folder / "data/pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.204.0.0/16 trust\n")
        self.start_database()

    @property
    def database_url(self) -> str:
        return f"postgresql://postgres@{SERVERS}:{self.database_port}/postgres"

    def start_database(self) -> None:
        self.database.start(self.database_url)

    def _set_up(self) -> None:
        """As the guide says: one folder is made, and copied to the others."""
        self.server_state.mkdir(parents=True)
        self._make_certificate()
        relays = [f"{self.cables[name].address}:{_PORT}={public}:{self.port}" for name, public in RELAYS.items()]
        balancers = [cable.address.rpartition(".")[0] + ".1" for cable in self.cables.values()]
        settings = {
            "public_url": self.public_url, "relays": relays, "lease_s": self._lease_s, "balancers": balancers,
            "database": self.database_url,
            "bus": f"tls://{SERVERS}:{self.bus_port}",
            "console_certificate": str(self.state / "console.pem"), "console_key": str(self.state / "console.key"),
        }  # fmt: skip
        self._write_settings(self.server_state, settings)
        portineria("setup", "--state", str(self.server_state), "--bare")
        portineria(
            "nats", "--state", str(self.server_state), "--listen", f"{SERVERS}:{self.bus_port}", "--host", SERVERS
        )

    def _write_settings(self, state: Path, settings: dict[str, Any]) -> None:
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        (state / "portineria.toml").write_text("\n".join(lines) + "\n")

    def _make_certificate(self) -> None:
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "30", "-subj", f"/CN={CONSOLE}", "-addext", f"subjectAltName=IP:{CONSOLE}"]
        files = ["-keyout", str(self.state / "console.key"), "-out", str(self.state / "console.pem")]
        subprocess.run([*command, *files], check=True, capture_output=True)

    def _furnish(self, name: str) -> None:
        """A server of its own: settings, master key, and who it is on the bus."""
        node = self.state / name
        node.mkdir()
        settings = (self.server_state / "portineria.toml").read_text()
        (node / "portineria.toml").write_text(f'{settings}web_listen = ["{self.cables[name].address}:{_PORT}"]\n')
        shutil.copy(self.server_state / "master.key", node)
        (node / "nats").mkdir()
        for file in ("control.seed", "certificate.pem"):
            shutil.copy(self.server_state / "nats" / file, node / "nats")

    def _furnish_relay(self, name: str) -> None:
        public = f"{RELAYS[name]}:{self.port}"
        portineria("relay-kit", public, "-o", str(self.state / name), "--state", str(self.server_state))

    # -- nodes -----------------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        verb = name.partition("-")[0]
        words = [str(self.state / name / "relay.toml")] if verb == "relay" else ["--state", str(self.state / name)]
        log, ready = self.processes.log(name), _READY[verb]
        before = log.read_text().count(ready) if log.exists() else 0
        self.processes.start(name, self.cables[name].command([*PORTINERIA, verb, *words]))
        self.processes.wait_until(name, lambda: log.read_text().count(ready) > before, seconds=_START_S)

    def start_bus(self) -> None:
        program = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or "nats-server"
        self.processes.start("bus", [program, "-c", str(self.server_state / "nats/nats.conf")])

    def _start_haproxy(self) -> None:
        """The guide's own file, with this cluster's addresses in the place of its names."""
        text = GUIDE.read_text()
        addresses = ("127.0.0.1", CONSOLE, *RELAYS.values())
        text = text.replace("    bind :443\n", "".join(f"    bind {address}:{self.port}\n" for address in addresses))
        for name, public in RELAYS.items():
            text = text.replace(f"req.ssl_sni -i {name}.example.com", f"dst {public}")
        for name, cable in self.cables.items():
            text = text.replace(f"{name}.internal:8443", f"{cable.address}:{_PORT}")
        text = text.replace("console.example.com", CONSOLE).replace("maxconn 60000", "maxconn 2000")
        assert "example.com" not in re.sub(r"#.*", "", text)
        path = self.state / "haproxy.cfg"
        path.write_text(text)
        self.processes.start("haproxy", ["haproxy", "-db", "-f", str(path)])

    def kill(self, name: str) -> None:
        self.processes.kill(name, signal.SIGKILL)
        self.until(lambda: name in self.processes.dead(), f"{name} does not die")

    @contextlib.contextmanager
    def without(self, name: str, how: str) -> Iterator[None]:
        """``killed``, ``frozen`` or ``cut off``; back again behind it."""
        if how == "killed":
            self.kill(name)
        elif how == "frozen":
            self.processes.kill(name, signal.SIGSTOP)
        else:
            self.cables[name].pull()
        try:
            yield
        finally:
            if how == "killed":
                self.start(name)
            elif how == "frozen":
                self.processes.kill(name, signal.SIGCONT)
            else:
                self.cables[name].plug()

    def close(self) -> None:
        super().close()
        self.database.close()
        for cable in self.cables.values():
            cable.close()
        ip("addr", "del", f"{SERVERS}/32", "dev", "lo", check=False)

    # -- looking -----------------------------------------------------------------------------------------------------

    def until(self, what: Callable[[], Any], why: str = "", *, seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, f"not in {seconds} s: {why}"
            time.sleep(0.1)
        return found

    def rows(self, query: LiteralString, *values: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query, values).fetchall()

    def leader(self) -> str:
        """The worker that leads, by its log."""
        for name in WORKERS:
            said = re.findall(r"worker\.(leading|led|waiting)", self.processes.log(name).read_text(errors="replace"))
            if said and said[-1] == "leading":
                return name
        return ""
