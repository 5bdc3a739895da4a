# SPDX-License-Identifier: Apache-2.0
"""OpenVPN as a peer: a server in the middle, the technician and the plant each a client of it, as it is used to reach
one machine. AES-256-GCM over UDP; the server passes packets between its clients and so decrypts and encrypts anew.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.load import running_device
from tests.bench.peers import Path3, stop, wait_for

_NAMES = {"server": "bench-vpn-server", "plant": "bench-vpn-plant"}  # the client is in the namespace of the benchmark
_PLANT = "10.206.0.3"
_SERVER = """mode server
tls-server
dh none
topology subnet
push "topology subnet"
ifconfig 10.206.0.1 255.255.255.0
client-to-client
keepalive 10 60
client-config-dir {folder}/clients
proto udp
local {local}
port 1194
"""
_CLIENT = "client\nnobind\nproto udp\nremote {remote} 1194\n"
_COMMON = (
    "dev tun\ndata-ciphers AES-256-GCM\nca {folder}/ca.crt\ncert {folder}/{name}.crt\nkey {folder}/{name}.key\nverb 1\n"
)


def missing() -> str:
    """Empty, or what keeps it from running here."""
    if os.geteuid() != 0:
        return "it needs root for its devices and namespaces"
    if shutil.which("openvpn") is None:
        return "apt-get install openvpn (scripts/debian-packages bench)"
    return "" if Path("/dev/net/tun").exists() else "no /dev/net/tun"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")


def _keys(folder: Path) -> None:
    request = ("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    _run(*request, "-x509", "-subj", "/CN=ca", "-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.crt"))
    for name in ("server", "plant", "client"):
        parts = (str(folder / f"{name}.{kind}") for kind in ("key", "crt"))
        key, certificate = parts
        _run(
            *request, "-x509", "-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"), "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate,
        )  # fmt: skip


def _cable(number: int, near: tuple[str, ...], far: str) -> tuple[str, str]:
    """Between the namespace ``near`` (words for ip) and the namespace ``far``; return both addresses."""
    ends, names = (f"10.207.{number}.1", f"10.207.{number}.2"), (f"bvpn{number}a", f"bvpn{number}b")
    _run("ip", *near, "link", "add", names[0], "type", "veth", "peer", "name", names[1], "netns", far)
    for place, name, address in ((near, names[0], ends[0]), (("-n", far), names[1], ends[1])):
        _run("ip", *place, "addr", "add", f"{address}/30", "dev", name)
        _run("ip", *place, "link", "set", name, "up")
    return ends


@contextlib.contextmanager
def path(device_port: int) -> Iterator[Path3]:
    """Its device is one of its own, inside the plant's namespace."""
    folder, started = Path(tempfile.mkdtemp(prefix="bench-vpn-")), list[subprocess.Popen[bytes]]()
    try:
        for name in _NAMES.values():
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _, server_here = _cable(0, (), _NAMES["server"])
        server_there, _ = _cable(1, ("-n", _NAMES["server"]), _NAMES["plant"])
        _keys(folder)
        (folder / "clients").mkdir()
        for number, name in ((2, "client"), (3, "plant")):
            (folder / "clients" / name).write_text(f"ifconfig-push 10.206.0.{number} 255.255.255.0\n")
        texts = {
            "server": _SERVER.format(folder=folder, local="0.0.0.0"),
            "plant": _CLIENT.format(remote=server_there),
            "client": _CLIENT.format(remote=server_here),
        }
        for name, text in texts.items():
            (folder / f"{name}.conf").write_text(text + _COMMON.format(folder=folder, name=name))
            inside = ["ip", "netns", "exec", _NAMES[name]] if name in _NAMES else []
            log = (folder / f"{name}.log").open("wb")
            command = [*inside, "openvpn", "--config", str(folder / f"{name}.conf")]
            started.append(subprocess.Popen(command, stdout=log, stderr=log))
        with running_device("0.0.0.0", device_port, ("ip", "netns", "exec", _NAMES["plant"])):
            wait_for(device_port, _PLANT, 30)
            time.sleep(1)
            yield Path3("OpenVPN", (_PLANT, device_port), [started[0].pid])
    finally:
        stop(started)
        for name in _NAMES.values():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        shutil.rmtree(folder)
