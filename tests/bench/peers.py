# SPDX-License-Identifier: Apache-2.0
"""The peers: OpenSSH ``-R`` + ``-L`` and a chain of stunnels, from client over a relay to the plant, as we are."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Path3:
    """A way from a local address to the device, and the processes in its middle."""

    name: str
    address: tuple[str, int]
    relay_pids: list[int]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, host: str = "127.0.0.1", seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found += [int(entry.name), *_children(int(entry.name))]
    return found


@contextlib.contextmanager
def openssh(device_port: int) -> Iterator[Path3]:
    """Gateway: ``ssh -R`` to the relay's sshd. Client: ``ssh -L`` to the same sshd. aes256-gcm, no compression."""
    folder, started = Path(tempfile.mkdtemp(prefix="bench-ssh-")), []
    port, meeting, local = free_port(), free_port(), free_port()
    try:
        for key in ("relay", "user"):
            _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key))
        shutil.copy(folder / "user.pub", folder / "authorized")
        folder.chmod(0o700)
        config = [
            f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder / 'relay'}", "UsePAM no", "StrictModes no",
            f"AuthorizedKeysFile {folder / 'authorized'}", f"PidFile {folder / 'pid'}", "PermitRootLogin yes",
            "Ciphers aes256-gcm@openssh.com", "Compression no", "MaxStartups 100", "PasswordAuthentication no",
        ]  # fmt: skip
        (folder / "sshd_config").write_text("\n".join(config) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        sshd = shutil.which("sshd") or "/usr/sbin/sshd"
        log = (folder / "log").open("wb")
        started.append(subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log))
        wait_for(port)
        common = [
            "ssh", "-N", "-T", "-i", str(folder / "user"), "-p", str(port), "-o", "StrictHostKeyChecking=no",
            "-o", f"UserKnownHostsFile={folder / 'known'}", "-o", "ExitOnForwardFailure=yes",
            "-o", "Ciphers=aes256-gcm@openssh.com", "-o", "Compression=no", "-F", "none", "-o", "LogLevel=ERROR",
        ]  # fmt: skip
        there = f"{getpass.getuser()}@127.0.0.1"
        started.append(subprocess.Popen([*common, "-R", f"127.0.0.1:{meeting}:127.0.0.1:{device_port}", there]))
        wait_for(meeting)
        started.append(subprocess.Popen([*common, "-L", f"127.0.0.1:{local}:127.0.0.1:{meeting}", there]))
        wait_for(local)
        yield Path3("OpenSSH", ("127.0.0.1", local), _children(started[0].pid))
    finally:
        stop(started)
        shutil.rmtree(folder)


@contextlib.contextmanager
def stunnel(device_port: int) -> Iterator[Path3]:
    """Three stunnels; the middle one ends TLS on both sides. TLS 1.3, AES-256-GCM."""
    folder, started = Path(tempfile.mkdtemp(prefix="bench-stunnel-")), []
    local, entry, inside, plant = (free_port() for _ in range(4))
    try:
        _run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=bench", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))  # fmt: skip
        tls = (
            "sslVersion = TLSv1.3\nciphersuites = TLS_AES_256_GCM_SHA384\n"
            f"cert = {folder / 'cert.pem'}\nkey = {folder / 'key.pem'}\n"
        )
        services = {
            "client": f"[c]\nclient = yes\naccept = 127.0.0.1:{local}\nconnect = 127.0.0.1:{entry}\n",
            "relay": f"[in]\naccept = 127.0.0.1:{entry}\nconnect = 127.0.0.1:{inside}\n"
            f"[out]\nclient = yes\naccept = 127.0.0.1:{inside}\nconnect = 127.0.0.1:{plant}\n",
            "plant": f"[p]\naccept = 127.0.0.1:{plant}\nconnect = 127.0.0.1:{device_port}\n",
        }
        socket_options = "socket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n"
        for name, text in services.items():
            path = folder / f"{name}.conf"
            path.write_text(f"foreground = yes\npid =\ndebug = err\n{socket_options}{tls}{text}")
            log = (folder / f"{name}.log").open("wb")
            started.append(subprocess.Popen(["stunnel4", str(path)], stdout=log, stderr=log))
        for port in (local, entry, plant):
            wait_for(port)
        yield Path3("stunnel", ("127.0.0.1", local), [started[1].pid])
    finally:
        stop(started)
        shutil.rmtree(folder)


def stop(started: list[subprocess.Popen[bytes]]) -> None:
    for process in reversed(started):
        process.terminate()
    for process in started:
        process.wait(10)
