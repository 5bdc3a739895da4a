# SPDX-License-Identifier: Apache-2.0
"""One path on loopback, beside OpenSSH and stunnel, and beside OpenVPN: throughput, echo, openings, cuts."""

import statistics
from dataclasses import dataclass, field

from portineria.process.loop import run
from tests.bench import openvpn, ours, peers
from tests.bench.load import cpu_seconds, download, downloads, echoes, running_device
from tests.bench.report import Found, figure, percentile

BYTES, VPN_BYTES = 1_000_000_000, 100_000_000
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


def measure_vpn(rounds: int) -> Found:
    """OpenVPN is several times slower, so it takes its turns with us alone, and with less to carry."""
    port, us, vpn = peers.free_port(), Measured(), Measured()
    with ours.running(port) as own, running_device("127.0.0.1", port):
        peers.wait_for(port)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds} …", flush=True)
            for measured, way in ((us, own.path()), (vpn, openvpn.path(port))):
                with way as path:
                    measured.throughput.append(VPN_BYTES * 8 / download(path.address, VPN_BYTES) / 1e9)
                    measured.echo_p50.append(echoes(path.address, ECHOES)[ECHOES // 2] * 1e3)
    figures = {
        "tunnel.throughput.1.openvpn": figure(us.throughput, "Gbit/s", ("OpenVPN", vpn.throughput)),
        "tunnel.echo.p50.openvpn": figure(us.echo_p50, "ms", ("OpenVPN", vpn.echo_p50)),
    }
    charts = {
        "One stream of 100 MB, Gbit/s": {
            "Portineria": statistics.median(us.throughput), "OpenVPN": statistics.median(vpn.throughput),
        },
        "Echo of 12 bytes beside OpenVPN, median, ms": {
            "Portineria": statistics.median(us.echo_p50), "OpenVPN": statistics.median(vpn.echo_p50),
        },
    }  # fmt: skip
    return Found(figures, charts)


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
