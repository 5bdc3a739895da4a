# SPDX-License-Identifier: Apache-2.0
"""Networks of their own: what goes out, what never comes in, and that nothing stays behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from portineria.core.errors import Unavailable
from portineria.demo.namespace import SIDES, Kind, PlantNetwork, available
from portineria.demo.owned import PREFIX, marked_processes
from tests.integration.plant.running import CLIENT, RunningPlant, end, first_line, wait_until

pytestmark = pytest.mark.netns


def left_by(owner: int) -> set[str]:
    """Everything a network of this owner has on the machine; other runs may have theirs meanwhile."""
    prefix = f"{PREFIX}{owner}-"
    found = {f"process {number}" for number, mark in marked_processes().items() if mark.startswith(prefix)}
    found |= {str(path) for path in Path(tempfile.gettempdir()).glob(f"{prefix}*")}
    found |= {str(path) for path in Path("/run/netns").glob(f"{prefix}*")}
    for alias in Path("/sys/class/net").glob("*/ifalias"):
        with suppress(OSError):
            if alias.read_text().startswith(prefix):
                found.add(alias.parent.name)
    return found


@pytest.fixture
def network(kind: Kind) -> Iterator[PlantNetwork]:
    with PlantNetwork("test", kind=kind) as opened:
        yield opened


@pytest.fixture
def echo_port() -> Iterator[int]:
    """An echoing listener outside, on every address."""
    with socket.create_server(("0.0.0.0", 0)) as listener:
        threading.Thread(target=serve_echo, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def serve_echo(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)


def inside(network: PlantNetwork, tmp_path: Path) -> RunningPlant:
    return RunningPlant("nobody", network, tmp_path)


def test_the_uplink_carries_bytes_and_half_closed_connections(
    network: PlantNetwork, echo_port: int, tmp_path: Path
) -> None:
    address, port = network.uplink(echo_port)
    assert network.uplink(echo_port) == (address, port)
    assert inside(network, tmp_path).ask("echo", address, port) == {"same": True}


def test_dialling_a_closed_port_outside_ends_at_once(network: PlantNetwork, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = inside(network, tmp_path).ask("knock", *network.uplink(port))
    assert not answer["open"]
    assert answer.get("error") != "TimeoutError"


def test_nothing_connects_to_the_gateway_side(network: PlantNetwork, tmp_path: Path) -> None:
    """A listener stands there, reachable from itself: only the rules keep the others out."""
    if network.firewall != "nft":
        pytest.skip("apt-get install nftables")
    here = inside(network, tmp_path)
    listener = subprocess.Popen(
        network.command([sys.executable, str(CLIENT), "listen", "0.0.0.0", "8000"]), stdout=subprocess.PIPE, text=True
    )
    try:
        assert json.loads(first_line(listener)) == ["0.0.0.0", 8000]
        assert here.ask("knock", "192.168.10.2", 8000)["open"]
        assert network.dropped_inbound() == 0
        assert here.ask("knock", "192.168.10.2", 8000, "floor") == {"open": False, "error": "TimeoutError"}
        if network.inward_address:
            with pytest.raises(TimeoutError):
                socket.create_connection((network.inward_address, 8000), timeout=1.0)
        dropped = network.dropped_inbound()
        assert dropped is not None
        assert dropped >= (2 if network.inward_address else 1)
    finally:
        end(listener)


def test_the_floor_has_no_way_out(network: PlantNetwork, echo_port: int, tmp_path: Path) -> None:
    answer = inside(network, tmp_path).ask("knock", *network.uplink(echo_port), "floor")
    assert not answer["open"]


def test_nothing_is_left_after_closing_even_with_processes_inside(kind: Kind) -> None:
    before = left_by(os.getpid())
    network = PlantNetwork("closing", kind=kind)
    network.open()
    network.uplink(9)
    processes = []
    for where in SIDES:
        argv = ["sh", "-c", 'trap "" TERM; echo stubborn; while :; do sleep 1; done']
        processes.append(subprocess.Popen(network.command(argv, where), stdout=subprocess.PIPE, text=True))
        assert first_line(processes[-1]) == "stubborn\n"
    assert len(left_by(os.getpid()) - before) >= 4
    network.close()
    network.close()
    assert left_by(os.getpid()) == before
    for process in processes:
        process.communicate()
        assert process.returncode == -signal.SIGKILL


OWNER = """
import subprocess, sys
from portineria.demo.namespace import Kind, PlantNetwork
network = PlantNetwork("crashed", kind=Kind(sys.argv[1]))
network.open()
network.uplink(9)
subprocess.Popen(network.command(["sleep", "600"], "floor"))
print("open", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_owner_left_is_swept_and_what_lives_is_kept(kind: Kind) -> None:
    with PlantNetwork("living", kind=kind) as living:
        kept = left_by(os.getpid())
        argv = [sys.executable, "-c", OWNER, kind]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
            assert first_line(owner) == "open\n"
            assert left_by(owner.pid)
            os.kill(owner.pid, signal.SIGKILL)
        assert left_by(owner.pid)
        assert PlantNetwork.sweep()
        assert left_by(owner.pid) == set()
        assert left_by(os.getpid()) == kept
        assert subprocess.run(living.command(["true"], "floor"), check=False).returncode == 0


def test_a_network_that_cannot_be_opened_leaves_nothing(kind: Kind) -> None:
    before = left_by(os.getpid())
    network = PlantNetwork("wrong", kind=kind, gateway_address="not an address")
    with pytest.raises(Unavailable, match="not an address"):
        network.open()
    assert left_by(os.getpid()) == before


def test_two_networks_of_one_name_are_two(kind: Kind) -> None:
    before = left_by(os.getpid())
    with PlantNetwork("same", kind=kind) as one, PlantNetwork("same", kind=kind) as other:
        assert one.command(["true"]) != other.command(["true"])
        other.close()
        assert subprocess.run(one.command(["true"]), check=False).returncode == 0
    assert left_by(os.getpid()) == before


def test_signals_reach_the_program_itself(network: PlantNetwork) -> None:
    process = subprocess.Popen(network.command(["sleep", "600"]))
    wait_until(lambda: "sleep" in Path(f"/proc/{process.pid}/comm").read_text(), "the program runs under our number")
    process.terminate()
    assert process.wait(5) == -signal.SIGTERM


def test_why_not_is_said_where_namespaces_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    available.cache_clear()
    try:
        assert available().kind is Kind.NONE
        assert "apt-get install iproute2" in available().reason
    finally:
        available.cache_clear()
