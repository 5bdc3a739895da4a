# SPDX-License-Identifier: Apache-2.0
"""One plant on loopback with high ports, for machines without namespaces, and how a plant starts and ends."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from portineria.demo.namespace import Kind, PlantNetwork
from portineria.demo.plant.journal import Journal
from portineria.demo.plant.layout import places
from portineria.demo.plant.press import PressLine
from portineria.demo.plant.ssh import SshMaintenance
from tests.integration.plant.running import HIGH_PORTS, RunningPlant, end, free_base, wait_until


def test_a_plant_on_loopback_serves_refuses_a_second_and_leaves_when_told(tmp_path: Path) -> None:
    base = free_base()
    with PlantNetwork("fallback", kind=Kind.NONE) as network:
        plant = RunningPlant("Torino press line 3", network, tmp_path, ("--address", base, "--high-ports"))
        plant.start()
        try:
            plant.wait_ready()
            assert {protocol: port for protocol, (_, port) in plant.places.items()} == HIGH_PORTS
            assert network.uplink(8443) == ("127.0.0.1", 8443)
            assert plant.client("modbus")["name"] == "Torino press line 3"
            assert plant.client("s7")["note"] == "note"
            second = subprocess.run(plant.argv, capture_output=True, text=True, timeout=30, check=False)
            assert second.returncode == 1
            assert "cannot listen on" in second.stderr
            assert "Traceback" not in second.stderr
            with socket.create_connection(plant.places["http"]) as idle, socket.create_connection(plant.places["s7"]):
                wait_until(lambda: len(plant.noted("drives", "connect")) == 2, "the idle connection is there")
                plant.process.send_signal(signal.SIGINT)
                assert plant.process.wait(30) == 0, "it waited for the idle connections"
                assert idle.recv(1) == b""
        finally:
            end(plant.process)


def test_the_drives_refuse_an_address_that_another_server_shares(tmp_path: Path) -> None:
    """The S7 library would take half of the other's connections: it sets SO_REUSEPORT."""
    base = free_base()
    address = base.removesuffix("10") + "12"
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((address, HIGH_PORTS["s7"]))
        other.listen()
        argv = ["-m", "portineria.demo.plant", "--address", base, "--high-ports", "--state", str(tmp_path)]
        done = subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"s7 cannot listen on {address}:1102" in done.stderr


def test_a_machine_is_known_by_its_name() -> None:
    assert PressLine("Torino").values() == PressLine("Torino").values()
    assert PressLine("Torino").values() != PressLine("Nagoya").values()
    assert PressLine("Torino", seed=1).values() != PressLine("Torino", seed=2).values()


async def test_the_host_key_stays_the_same_between_starts(tmp_path: Path) -> None:
    place = places(free_base(), high_ports=True)[3]
    fingerprints = []
    for folder in (tmp_path / "one", tmp_path / "one", tmp_path / "other"):
        device = SshMaintenance(place, PressLine("Torino"), Journal(None), folder, "secret")
        await device.start()
        await device.stop()
        fingerprints.append(device.fingerprint)
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


@pytest.mark.parametrize("base", ["192.0.2.77"])
def test_an_address_that_is_not_here_is_said_in_one_line(tmp_path: Path, base: str) -> None:
    argv = ["-m", "portineria.demo.plant", "--address", base, "--state", str(tmp_path)]
    done = subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "192.0.2.78:502" in done.stderr
