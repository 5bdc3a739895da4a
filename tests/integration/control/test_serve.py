# SPDX-License-Identifier: Apache-2.0
"""``serve`` as a process of its own: the shared port, the relay as its child, and an orderly end."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from portineria import __version__
from tests.integration.control import tutorial
from tests.integration.process import as_a_child_of_a_test
from tests.integration.scrape import read

pytestmark = pytest.mark.sqlite  # its servers have a database of their own

T = TypeVar("T")
DEADLINE_S = 40
PROGRAM = """
import sys
from pathlib import Path
from portineria.control import serve
from portineria.control.settings.server import load
sys.exit(serve.main(load(Path(sys.argv[1]))))
"""


def free_port() -> int:
    """Below the range of outgoing connections: a client must not meet itself while the relay is away."""
    for port in random.sample(range(20000, 32000), 100):
        with socket.socket() as probe:
            if bound(probe, port):
                return port
    raise AssertionError("no free port")


def until(found: Callable[[], T | None], log: Path) -> T:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if (result := found()) is not None:
            return result
        time.sleep(0.05)
    raise AssertionError(log.read_text())


class Server:
    def __init__(self, state: Path, scheme: str, port: int | None = None) -> None:
        self.state = state
        self.port = port or free_port()
        self.url = f"{scheme}://localhost:{self.port}"
        self.log = state / "log"
        state.mkdir(mode=0o700, exist_ok=True)
        (state / "portineria.toml").write_text(f'public_url = "{self.url}"\nrelays = ["127.0.0.1:{self.port}"]\n')
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTINERIA_")}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        self.secret = "PORTINERIA_SERVER_LEASE_S"
        environment[self.secret] = "20"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(state)], stdout=log, stderr=log, env=environment,
                preexec_fn=as_a_child_of_a_test,
            )  # fmt: skip

    def get(self, path: str) -> tuple[int, dict[str, Any]] | None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5, context=context) as answer:  # noqa: S310 ours
                return answer.status, {}
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
        except (OSError, http.client.HTTPException):
            return None

    def child(self) -> int | None:
        """The relay's process id."""
        listing = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(listing[0]) if listing else None

    def up(self) -> None:
        until(lambda: self.get("/api/v1/me"), self.log)


SET_UP = "import sys, pathlib; from portineria.control import operations as o; o.initialise(pathlib.Path(sys.argv[1]))"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder after the set-up: the tables are made once for all tests here."""
    folder = tmp_path_factory.mktemp("prepared")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTINERIA_")}
    subprocess.run([sys.executable, "-c", SET_UP, str(folder)], check=True, env=environment)
    return folder


@pytest.fixture
def state(prepared: Path) -> Iterator[Path]:
    """Below a short folder: the paths of Unix sockets have at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="serve-") as folder:
        yield shutil.copytree(prepared, Path(folder) / "state")


@contextmanager
def served(state: Path, scheme: str = "http", port: int | None = None) -> Iterator[Server]:
    server = Server(state, scheme, port)
    try:
        server.up()
        yield server
    finally:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
            try:
                server.process.wait(10)
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_console_and_links_share_one_port(state: Path, scheme: str) -> None:
    with served(state, scheme) as server:
        status, body = server.get("/api/v1/me") or (0, {})
        assert (status, body["code"]) == (401, "token.invalid")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["portineria-link/1"])
        with (
            socket.create_connection(("127.0.0.1", server.port), 5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as link,
        ):
            assert link.selected_alpn_protocol() == "portineria-link/1"
            certificate = link.getpeercert(binary_form=True)
        relay = next((server.state / "relays").iterdir()).name
        assert certificate is not None
        assert f"urn:portineria:relay:{relay}".encode() in certificate


def test_a_relay_that_dies_is_started_again_and_the_console_with_it(state: Path) -> None:
    with served(state) as server:
        first = until(server.child, server.log)
        os.kill(first, signal.SIGKILL)
        until(lambda: child if (child := server.child()) not in (None, first) else None, server.log)
        server.up()
        assert server.process.poll() is None


def test_the_relay_knows_no_key_but_its_own_and_no_setting_of_ours(state: Path) -> None:
    with served(state) as server:
        child = until(server.child, server.log)
        environment = Path(f"/proc/{child}/environ").read_bytes()
        assert server.secret.encode() not in environment
        assert b"MASTER_KEY" not in environment
        files = [os.readlink(link) for link in Path(f"/proc/{child}/fd").iterdir()]
        assert [name for name in files if "sqlite" in name or "master.key" in name] == []
        folder = next((server.state / "relays").iterdir())
        assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
        assert (server.state / "master.key").stat().st_mode & 0o777 == 0o600


def test_it_stops_in_order_soon_and_leaves_nothing_running(state: Path) -> None:
    with served(state) as server:
        child = until(server.child, server.log)
        began = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        gone = until(lambda: True if not Path(f"/proc/{child}").exists() else None, server.log)
        assert gone
        assert not listening(server.port)
        assert time.monotonic() - began < 15  # two seconds when nothing else runs
        assert server.process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_stops_though_its_relay_and_a_visitor_are_frozen(state: Path, number: signal.Signals) -> None:
    with served(state) as server, socket.create_connection(("127.0.0.1", server.port), 5) as visitor:
        visitor.sendall(b"POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")  # never more
        server.up()
        child = until(server.child, server.log)
        os.kill(child, signal.SIGSTOP)
        server.process.send_signal(number)
        assert server.process.wait(DEADLINE_S) == 0
        assert not Path(f"/proc/{child}").exists()
        assert not listening(server.port)


def test_it_goes_on_where_it_stopped(state: Path) -> None:
    port = free_port()
    for _ in range(2):
        with served(state, port=port):
            relays = sorted(path.name for path in (state / "relays").iterdir())
    assert len(relays) == 1


def test_a_taken_port_is_said_and_tried_again(state: Path) -> None:
    with served(state) as server, socket.socket() as blocker:
        first = until(server.child, server.log)
        os.kill(first, signal.SIGSTOP)
        os.kill(first, signal.SIGKILL)
        blocker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until(lambda: True if bound(blocker, server.port) else None, server.log)
        said = until(lambda: lines(server.log, "relay.failed"), server.log)[0]
        assert_names_the_port(said, server)
        blocker.close()
        server.up()


def test_a_server_whose_port_is_taken_does_not_say_that_it_serves(state: Path) -> None:
    with socket.socket() as blocker:
        port = free_port()
        assert bound(blocker, port)
        server = Server(state, "http", port)
        try:
            assert_names_the_port(until(lambda: lines(server.log, "relay.failed"), server.log)[0], server)
            assert lines(server.log, "serving") is None
            blocker.close()
            until(lambda: lines(server.log, "serving"), server.log)
            server.up()
        finally:
            server.process.terminate()
            assert server.process.wait(DEADLINE_S) == 0


def lines(log: Path, event: str) -> list[dict[str, Any]] | None:
    """What was logged under this name; None when nothing was."""
    found = [json.loads(line) for line in log.read_text().splitlines() if f'"event": "{event}"' in line]
    return found or None


def assert_names_the_port(said: dict[str, Any], server: Server) -> None:
    assert f"127.0.0.1:{server.port}: Address already in use" in said["why"]
    assert "public_url and relays of portineria.toml" in said["why"]
    assert "Traceback" not in server.log.read_text()


def bound(sock: socket.socket, port: int) -> bool:
    try:
        sock.bind(("127.0.0.1", port))
        sock.listen()
    except OSError:
        return False
    return True


def test_what_the_tutorial_says_can_be_typed(state: Path) -> None:
    folder = state.parent
    state.rename(folder / "my-server")
    said = tutorial.follow(folder)
    for expected in ("\nok\n", 'portineria_gateways{state="admitted"} 0.0', '"event": "serving"'):
        assert expected in said, said
    server, relay = read((folder / "server.txt").read_text()), read((folder / "relay.txt").read_text())
    assert server["portineria_build_info", ("serve", __version__)] == server["portineria_ready", ()] == 1
    conditions = {labels for name, labels in server if name == "portineria_condition"}
    assert conditions == {("database",), ("disk",), ("sealer",), ("bus",)}
    assert server["portineria_http_responses_total", ("GET", "200")] >= 1
    assert relay["portineria_relay_bus_connected", ()] == 1
