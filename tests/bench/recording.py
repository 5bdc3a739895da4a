# SPDX-License-Identifier: Apache-2.0
"""What recording costs: a path at 50 Mbit/s with and without it, the most that is recorded, verification of 1 GB."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.recording.capture import Capture, Clocks
from portineria.recording.seal import About, Sealer
from tests.bench.load import connect, cpu_seconds, download, running_device
from tests.bench.ours import MACHINE, Ours, running
from tests.bench.peers import free_port
from tests.bench.report import Found, figure

OFFERED_BYTES_S = 50_000_000 // 8
_PIECE = 65536
_CHUNK = 2 << 20


def measured(rounds: int, *, full: bool) -> Found:
    port = free_port()
    plain: dict[str, list[float]] = {"rate": [], "cpu": [], "most": []}
    kept: dict[str, list[float]] = {"rate": [], "cpu": [], "most": []}
    with running_device("127.0.0.1", port), running(port) as ours:
        for _ in range(rounds):
            for mode, found in (("none", plain), ("strict", kept)):
                record_machine(ours, MACHINE, mode)
                with ours.path() as path:
                    rate, cpu = _offered(path.address, ours.gateway_pid, 10 if full else 4)
                    found["rate"].append(rate)
                    found["cpu"].append(cpu)
                    count = 200_000_000 if full else 60_000_000
                    found["most"].append(count * 8 / download(path.address, count) / 1e6)
    size = 1_000_000_000 if full else 200_000_000
    with _recording(size) as folder:
        seconds = _verified(folder) * 1e9 / size
    figures = {
        "recording.cost": figure(kept["rate"], "Mbit/s", ("not recorded", plain["rate"])),
        "recording.max": figure(kept["most"], "Mbit/s", ("not recorded", plain["most"])),
        "recording.verify": figure([seconds], "s"),
    }
    return Found(figures, {}, {"plain": plain, "recorded": kept, "verified_bytes": size})


def record_machine(ours: Ours, machine: str, mode: str) -> None:
    """Sessions on it from now on; ``mode`` as in the console."""
    command = [sys.executable, "-m", "tests.integration.path.act", str(ours.server_state), "record_machine"]
    subprocess.run([*command, machine, mode], check=True, stdout=subprocess.DEVNULL)


def _offered(address: tuple[str, int], gateway: int, seconds: int) -> tuple[float, float]:
    """(Mbit/s that the path took of what was offered, CPU seconds of the gateway for each second)."""
    piece, sent = bytes(range(256)) * (_PIECE // 256), 0
    with connect(address) as connection:
        connection.sendall(b"U")
        before, start = cpu_seconds([gateway]), time.perf_counter()
        while (now := time.perf_counter() - start) < seconds:
            if sent <= now * OFFERED_BYTES_S:
                connection.sendall(piece)
                sent += len(piece)
            else:
                time.sleep(0.001)
        return sent * 8 / now / 1e6, (cpu_seconds([gateway]) - before) / now


@contextlib.contextmanager
def _recording(size: int) -> Iterator[Path]:
    """A recording of about so many bytes of what a session said, half of which can be packed."""
    key, identity = Ed25519PrivateKey.generate(), pyrage.x25519.Identity.generate()
    with tempfile.TemporaryDirectory(prefix="bench-recording-") as place:
        folder = Path(place) / "rec_aaaaaaaaaaaaaaaa"
        folder.mkdir()
        (Path(place) / "identity.txt").write_text(f"{identity}\n")
        about = About("rec_aaaaaaaaaaaaaaaa", "ses_aaaaaaaaaaaaaaaa", "org_a", "gw_a", bytes(32))
        capture, sealer, at = Capture(about.session, "bench"), Sealer(about, key), Clocks(time.time_ns(), 0)
        capture.open("str_aaaaaaaaaaaaaaaa", "srv_a", "192.168.10.5", 502, at)
        noise = Path("/dev/urandom").open("rb")  # noqa: SIM115 - closed below
        with noise:
            for first in range(0, size, _CHUNK):
                data = memoryview(noise.read(_CHUNK // 2) + bytes(_CHUNK // 2))
                capture.data("str_aaaaaaaaaaaaaaaa", 0, [data], at)
                if first + _CHUNK >= size:
                    capture.over("str_aaaaaaaaaaaaaaaa", "cut", at)
                end = "session.ended" if first + _CHUNK >= size else ""
                sealed = sealer.seal(capture.take(at), at, [str(identity.to_public())], end=end)
                sealer.keep(sealed)
                (folder / f"{sealed.entry.number:08}.chunk").write_bytes(sealed.data)
        yield folder


def _verified(folder: Path) -> float:
    """Seconds of `portineria recording verify` with the identity, its start included."""
    command = [sys.executable, "-m", "portineria.cli.main", "recording", "verify", str(folder)]
    start = time.perf_counter()
    subprocess.run([*command, "-i", str(folder.parent / "identity.txt")], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
