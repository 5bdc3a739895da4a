# SPDX-License-Identifier: Apache-2.0
"""One path on loopback, beside OpenSSH and stunnel, OpenVPN, MeshCentral: throughput, echo, openings, cuts."""

import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from portineria.process.loop import run
from tests.bench import meshcentral, openvpn, ours, peers
from tests.bench.load import cpu_seconds, download, downloads, echoes, running_device
from tests.bench.report import Found, figure, percentile

BYTES, VPN_BYTES, MESH_BYTES = 1_000_000_000, 100_000_000, 50_000_000
ECHOES = 3000
OPENINGS, FURTHER, CUTS = 40, 5, 40


@dataclass
class Measured:
    """One value a round for each way."""

    throughput: list[float] = field(default_factory=list)  # Gbit/s
    throughput8: list[float] = field(default_factory=list)
    relay_cpu: list[float] = field(default_factory=list)  # seconds per GB
    echo_p50: list[float] = field(default_factory=list)  # ms
    echo_p99: list[float] = field(default_factory=list)

    def take(self, path: peers.Path3) -> None:
        before = cpu_seconds(path.relay_pids)
        seconds = download(path.address, BYTES)
        self.relay_cpu.append((cpu_seconds(path.relay_pids) - before) / (BYTES / 1e9))
        self.throughput.append(BYTES * 8 / seconds / 1e9)
        self.throughput8.append(BYTES * 8 / downloads(path.address, BYTES // 8, 8) / 1e9)
        times = echoes(path.address, ECHOES)
        self.echo_p50.append(times[ECHOES // 2] * 1e3)
        self.echo_p99.append(times[ECHOES * 99 // 100] * 1e3)


def _beside(rounds: int, peer: str, way: Callable[[int], AbstractContextManager[peers.Path3]], size: int) -> Found:
    """A peer that is several times slower takes its turns with us alone, and with ``size`` bytes to carry."""
    port, us, them = peers.free_port(), Measured(), Measured()
    with ours.running(port) as own, running_device("127.0.0.1", port):
        peers.wait_for(port)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} …", flush=True)
            for measured, path_of in ((us, own.path()), (them, way(port))):
                with path_of as path:
                    measured.throughput.append(size * 8 / download(path.address, size) / 1e9)
                    measured.echo_p50.append(echoes(path.address, ECHOES)[ECHOES // 2] * 1e3)
    name = peer.lower()
    figures = {
        f"tunnel.throughput.1.{name}": figure(us.throughput, "Gbit/s", (peer, them.throughput)),
        f"tunnel.echo.p50.{name}": figure(us.echo_p50, "ms", (peer, them.echo_p50)),
    }
    charts = {
        f"One stream of {size // 1_000_000} MB, Gbit/s": {
            "Portineria": statistics.median(us.throughput), peer: statistics.median(them.throughput),
        },
        f"Echo of 12 bytes beside {peer}, median, ms": {
            "Portineria": statistics.median(us.echo_p50), peer: statistics.median(them.echo_p50),
        },
    }  # fmt: skip
    return Found(figures, charts)


def measure_vpn(rounds: int) -> Found:
    return _beside(rounds, "OpenVPN", openvpn.path, VPN_BYTES)


def measure_mesh(rounds: int) -> Found:
    return _beside(rounds, "MeshCentral", meshcentral.path, MESH_BYTES)


def measure(rounds: int) -> Found:
    port = peers.free_port()
    named: dict[str, Measured] = {}
    with ours.running(port) as own:
        with running_device("127.0.0.1", port):
            peers.wait_for(port)
            for number in range(rounds):
                print(f"round {number + 1} of {rounds} …", flush=True)
                ways = {"Portineria": own.path(), "OpenSSH": peers.openssh(port), "stunnel": peers.stunnel(port)}
                for name, way in ways.items():
                    with way as path:
                        named.setdefault(name, Measured()).take(path)
            first, following = run(own.opening_times(OPENINGS, FURTHER))
        cuts = run(own.cut_times(CUTS, port))
    us, ssh, tunnel = (named[name] for name in ("Portineria", "OpenSSH", "stunnel"))
    figures = {
        "tunnel.throughput.1": figure(us.throughput, "Gbit/s", ("OpenSSH", ssh.throughput)),
        "tunnel.throughput.1.stunnel": figure(us.throughput, "Gbit/s", ("stunnel", tunnel.throughput)),
        "tunnel.throughput.8": figure(us.throughput8, "Gbit/s", ("one stream", us.throughput)),
        "relay.cpu_per_gb": figure(us.relay_cpu, "s", ("OpenSSH", ssh.relay_cpu)),
        "tunnel.echo.p50": figure(us.echo_p50, "ms", ("OpenSSH", ssh.echo_p50)),
        "tunnel.echo.p99": figure(us.echo_p99, "ms", ("OpenSSH", ssh.echo_p99)),
        "tunnel.open.first": figure([percentile(first, 95) * 1e3], "ms"),
        "tunnel.open.next": figure([percentile(following, 95) * 1e3], "ms"),
        "tunnel.cut": figure([percentile(cuts, 99) * 1e3], "ms"),
    }
    charts = {
        "One stream, Gbit/s": {name: statistics.median(of.throughput) for name, of in named.items()},
        "Eight streams, Gbit/s": {name: statistics.median(of.throughput8) for name, of in named.items()},
        "CPU of the relay, s per GB": {name: statistics.median(of.relay_cpu) for name, of in named.items()},
        "Echo of 12 bytes, median, ms": {name: statistics.median(of.echo_p50) for name, of in named.items()},
    }
    return Found(figures, charts)
