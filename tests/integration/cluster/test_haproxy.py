# SPDX-License-Identifier: Apache-2.0
"""The guide's haproxy.cfg as it stands, asked with ClientHellos: who gets which connection."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portineria.wire.leg import LEG_ALPN, LINK_ALPN
from portineria.wire.proxy_protocol import HEAD_BYTES, address_of, rest_bytes
from tests.integration.cluster.cluster import GUIDE, RELAYS, WEBS
from tests.integration.middlebox import free_port
from tests.integration.process import as_a_child_of_a_test


class Backend:
    """Listens where the guide has a server, and keeps what HAProxy said of each connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.peers: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                with self._listener.accept()[0] as sock:
                    head = sock.recv(HEAD_BYTES, socket.MSG_WAITALL)
                    rest = sock.recv(rest_bytes(head), socket.MSG_WAITALL)
                    if (peer := address_of(head, rest)) is not None and sock.recv(1) == b"\x16":
                        self.peers.append(peer)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, dict[str, Backend]]]:
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("HAProxy is missing: sudo apt-get install --no-install-recommends haproxy")
    backends, port = {name: Backend() for name in (*RELAYS, *WEBS)}, free_port()
    text = GUIDE.read_text().replace("bind :443", f"bind 127.0.0.1:{port}").replace("maxconn 60000", "maxconn 500")
    for name, backend in backends.items():
        text = text.replace(f"{name}.internal:8443", f"127.0.0.1:{backend.port}")
    text = text.replace("default-server check ", "default-server ")  # these backends are none of ours
    path: Path = tmp_path_factory.mktemp("guide") / "haproxy.cfg"
    path.write_text(text)
    checked = subprocess.run([program, "-c", "-f", str(path)], capture_output=True, text=True, check=False)
    assert (checked.returncode, "WARNING" in checked.stderr) == (0, False), checked.stderr
    process = subprocess.Popen([program, "-db", "-f", str(path)], preexec_fn=as_a_child_of_a_test)
    try:
        until(lambda: answers(port))
        yield port, backends
    finally:
        process.kill()
        process.wait()
        for backend in backends.values():
            backend.close()


def until(what: contextlib.AbstractContextManager[object] | object) -> None:
    deadline = time.monotonic() + 20
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def hello(port: int, name: str, *protocols: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        context.wrap_socket(sock, server_hostname=name or None).close()


@pytest.mark.parametrize("protocol", [LINK_ALPN, LEG_ALPN])
@pytest.mark.parametrize("relay", list(RELAYS))
def test_links_and_legs_reach_the_relay_they_name(
    guide: tuple[int, dict[str, Backend]], relay: str, protocol: str
) -> None:
    port, backends = guide
    before = len(backends[relay].peers)
    hello(port, f"{relay}.example.com", protocol)
    until(lambda: len(backends[relay].peers) == before + 1)
    assert backends[relay].peers[-1] == "127.0.0.1"


def test_browsers_reach_a_web_process(guide: tuple[int, dict[str, Backend]]) -> None:
    port, backends = guide
    for name, protocols in (("console.example.com", ("h2", "http/1.1")), ("", ()), ("relay-1.example.com", ())):
        before = sum(len(backends[web].peers) for web in WEBS)
        hello(port, name, *protocols)
        until(lambda before=before: sum(len(backends[web].peers) for web in WEBS) == before + 1)


def test_a_link_for_nobody_is_turned_away(guide: tuple[int, dict[str, Backend]]) -> None:
    port, backends = guide
    before = {name: len(backend.peers) for name, backend in backends.items()}
    hello(port, "relay-9.example.com", LINK_ALPN)
    hello(port, "relay-1.example.com", LINK_ALPN)
    until(lambda: len(backends["relay-1"].peers) == before["relay-1"] + 1)
    assert {name: len(backends[name].peers) for name in before if name != "relay-1"} == {
        name: count for name, count in before.items() if name != "relay-1"
    }
