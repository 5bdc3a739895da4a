# SPDX-License-Identifier: Apache-2.0
"""MeshCentral as a peer: its server in the middle, its agent in the plant, its command for a mapped port at the
technician. The server ends TLS on both sides and passes the bytes on in WebSocket frames.
"""

import contextlib
import json
import os
import platform
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from hashlib import sha384
from pathlib import Path
from typing import Any

from tests.bench.peers import Path3, free_port, stop, wait_for

VERSION = "1.1.55"
_INSTALLED = Path(__file__).resolve().parents[2] / "build/meshcentral"
_PROGRAM = _INSTALLED / "node_modules/meshcentral"
_ACCOUNT, _PASSWORD = "admin", "Bench-Pass-12"
_LINUX_X86_64 = "6"  # as its server names the agent's platform
_START_S = 180  # it makes its certificates and signs its agents first


def missing() -> str:
    """Empty, or what keeps it from running here. Installs it the first time."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return "it is tried on Linux x86-64 only"
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "Node.js with npm is missing"
    if not _PROGRAM.is_dir():
        _INSTALLED.mkdir(parents=True, exist_ok=True)
        place, quietly = ["--prefix", str(_INSTALLED)], ["--no-audit", "--no-fund", "--no-save", "--silent"]
        command = ["npm", "install", *place, *quietly, f"meshcentral@{VERSION}"]
        if subprocess.run(command, check=False).returncode != 0:
            return f"npm could not install meshcentral {VERSION}"
    return ""


def _server(data: Path, port: int) -> "subprocess.Popen[bytes]":
    config = {
        "settings": {
            "cert": "127.0.0.1", "WANonly": True, "port": port, "portBind": "127.0.0.1", "redirPort": 0, "mpsPort": 0,
            "selfUpdate": False, "agentTimeStampServer": False, "autoBackup": False,
        },
        "domains": {"": {"newAccounts": False}},
    }  # fmt: skip
    (data / "config.json").write_text(json.dumps(config))
    command = ["node", str(_PROGRAM), "--datapath", str(data)]
    for words in (["--createaccount", _ACCOUNT, "--pass", _PASSWORD, "--email", "a@example.com"],
                  ["--adminaccount", _ACCOUNT]):  # fmt: skip
        subprocess.run([*command, *words], cwd=data, check=True, stdout=subprocess.DEVNULL, timeout=_START_S)
    with (data / "server.log").open("wb") as log:
        return subprocess.Popen(command, cwd=data, stdout=log, stderr=log)


class _Door:
    """The server's own addresses and its administrator's command."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._unchecked = ssl.create_default_context()  # it made its certificate a moment ago, on this machine
        self._unchecked.check_hostname, self._unchecked.verify_mode = False, ssl.CERT_NONE

    def certificate_hash(self) -> str:
        text = ssl.get_server_certificate(("127.0.0.1", self.port))
        return sha384(ssl.PEM_cert_to_DER_cert(text)).hexdigest()

    def get(self, what: str, **asked: str) -> bytes:
        address = f"https://127.0.0.1:{self.port}/{what}?{urllib.parse.urlencode(asked)}"
        with urllib.request.urlopen(address, context=self._unchecked, timeout=30) as answer:
            return bytes(answer.read())

    def tell(self, *words: str) -> str:
        command = ["node", str(_PROGRAM / "meshctrl.js"), *words, "--url", f"wss://127.0.0.1:{self.port}",
                   "--loginuser", _ACCOUNT, "--loginpass", _PASSWORD]  # fmt: skip
        environment = {**os.environ, "NODE_TLS_REJECT_UNAUTHORIZED": "0", "NODE_NO_WARNINGS": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout

    def program(self, file: Path, **asked: str) -> str:
        file.write_bytes(self.get("meshagents", **asked))
        file.chmod(0o755)
        return str(file)


def _agent(door: _Door, folder: Path) -> "subprocess.Popen[bytes]":
    folder.mkdir()
    group = door.tell("AddDeviceGroup", "--name", "plant").split("mesh//")[1].strip()
    (folder / "meshagent.msh").write_bytes(door.get("meshsettings", id=group))
    program = door.program(folder / "meshagent", id=_LINUX_X86_64)
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([program, "connect"], cwd=folder, stdout=log, stderr=log)


def _connected(door: _Door) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = door.tell("ListDevices", "--json")
        devices = json.loads(found) if found.lstrip().startswith("[") else []
        if devices and devices[0].get("conn"):
            return dict(devices[0])
        time.sleep(0.5)
    raise TimeoutError("MeshCentral's agent did not connect")


def _route(door: _Door, folder: Path, local: int, device_port: int) -> "subprocess.Popen[bytes]":
    folder.mkdir()
    settings = (folder.parent / "agent/meshagent.msh").read_text("utf-8", errors="replace")
    [server] = [line.partition("=")[2].strip() for line in settings.splitlines() if line.startswith("ServerID=")]
    device = _connected(door)
    action = {
        "action": "route", "localPort": local, "remoteName": device["name"], "remoteNodeId": device["_id"],
        "remotePort": device_port, "username": _ACCOUNT, "password": _PASSWORD, "serverId": server,
        "serverHttpsHash": door.certificate_hash(), "serverUrl": f"wss://127.0.0.1:{door.port}/meshrelay.ashx",
    }  # fmt: skip
    (folder / "meshaction.txt").write_text(json.dumps(action))
    program = door.program(folder / "meshcmd", meshcmd=_LINUX_X86_64)
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([program, "route"], cwd=folder, stdout=log, stderr=log)


@contextlib.contextmanager
def path(device_port: int) -> Iterator[Path3]:
    folder, started = Path(tempfile.mkdtemp(prefix="bench-mesh-")), list[subprocess.Popen[bytes]]()
    port, local = free_port(), free_port()
    try:
        (folder / "data").mkdir()
        started.append(_server(folder / "data", port))
        wait_for(port, seconds=_START_S)
        door = _Door(port)
        started.append(_agent(door, folder / "agent"))
        started.append(_route(door, folder / "route", local, device_port))
        wait_for(local, seconds=30)
        yield Path3("MeshCentral", ("127.0.0.1", local), [started[0].pid])
    finally:
        stop(started)
        shutil.rmtree(folder)
