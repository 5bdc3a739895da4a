# SPDX-License-Identifier: Apache-2.0
"""`check`: whether what deploy/ holds is as tight as it says, and starts commands that exist.

By systemd's own program where it is installed, else by what is read here alone. `python -m tests.deployment` (root;
`make deep`) builds the image and starts it, and runs the units under a real systemd.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from portineria.cli.main import parser

ROOT = Path(__file__).resolve().parent.parent
UNITS = (
    *sorted((ROOT / "deploy/systemd").glob("*.service")),
    ROOT / "src/portineria/dataplane/gateway/portineria-gateway.service",
)
CONTAINERFILE = ROOT / "deploy/container/Containerfile"
QUADLET = ROOT / "deploy/container/portineria.container"
EXPOSURE = 20  # of 100, as systemd-analyze security counts; what is left is the network, which is the product
DEMANDED = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
    "PrivateDevices": "yes", "ProtectClock": "yes", "ProtectControlGroups": "yes", "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes", "ProtectKernelModules": "yes", "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible", "ProcSubset": "pid", "RemoveIPC": "yes", "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes", "LockPersonality": "yes", "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native", "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX", "UMask": "0077",
    "StateDirectoryMode": "0700", "Restart": "always",
}  # fmt: skip
_CAPABILITIES = {"", "CAP_NET_BIND_SERVICE"}
# Of [Container], in podman 4.8: a key that the generator does not know makes it write no unit at all.
_KNOWN = {
    "Image",
    "PublishPort",
    "Volume",
    "ReadOnly",
    "ReadOnlyTmpfs",
    "Tmpfs",
    "NoNewPrivileges",
    "DropCapability",
    "UserNS",
    "User",
    "Group",
    "PidsLimit",
    "AddCapability",
    "AddDevice",
    "SecurityLabelDisable",
    "PodmanArgs",
    "Network",
}
_CONTAINED = {
    "ReadOnly": "true", "NoNewPrivileges": "true", "DropCapability": "all", "User": "65532", "Group": "65532",
}  # fmt: skip


def entries(text: str) -> dict[str, list[str]]:
    """``Key=value`` lines of a unit, all values of each key."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith(("#", ";")):
            found.setdefault(key, []).append(value)
    return found


def unit_faults(text: str) -> Iterator[str]:
    found = entries(text)
    for key, value in DEMANDED.items():
        if found.get(key) != [value]:
            yield f"{key}={value} is missing, is {found.get(key)}"
    for key in ("CapabilityBoundingSet", "AmbientCapabilities"):
        if len(found.get(key, [])) != 1 or found[key][0] not in _CAPABILITIES:
            yield f"{key} gives more than a low port: {found.get(key)}"
    if found.get("SystemCallFilter") != ["@system-service", "~@privileged @resources"]:
        yield "SystemCallFilter lets more through than a service needs"
    if found.get("DynamicUser") != ["yes"] and found.get("User") in (None, ["root"], ["0"]):
        yield "it runs as root"
    [command] = found.get("ExecStart", [""])
    yield from command_faults(shlex.split(command)[1:])


@cache
def _command_line() -> argparse.ArgumentParser:
    return parser()


def command_faults(words: list[str]) -> Iterator[str]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            _command_line().parse_args(words)
    except SystemExit:
        yield f"portineria {' '.join(words)}: {said.getvalue().strip().splitlines()[-1]}"


def systemd_faults(units: tuple[Path, ...]) -> Iterator[str]:
    """What systemd says of them; nothing where it is not installed."""
    program = shutil.which("systemd-analyze")
    if program is None:
        print("systemd-analyze is not installed: units were read here only.")
        return
    with tempfile.TemporaryDirectory() as folder:
        for unit in units:
            copy = Path(folder, unit.name)
            # The program need not be on this machine for its unit to be right.
            copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE))
            for words in (
                ["verify", "--man=no"],
                ["security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager"],
            ):
                done = subprocess.run([program, *words, str(copy)], capture_output=True, text=True, check=False)
                if done.returncode:
                    yield f"systemd-analyze {words[0]}: {(done.stderr.strip() or done.stdout.strip())[-300:]}"


def container_faults(text: str) -> Iterator[str]:
    """Of a Containerfile: its last stage is what runs."""
    lines = [line for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip() and not line.startswith("#")]
    stages = [number for number, line in enumerate(lines) if line.startswith("FROM ")]
    last = [line.split(None, 1) for line in lines[stages[-1] :]]
    said = dict(last)
    for word in ("RUN", "ADD", "SHELL"):
        if any(each == word for each, _ in last):
            yield f"{word} in the stage that runs: it needs a shell, or fetches"
    if any(line.startswith("ADD ") or re.search(r"\b(curl|wget|apt-get|apk)\b", line) for line in lines):
        yield "something is fetched that no hash vouches for"
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", said.get("USER", "")):
        yield "USER is no number other than 0: an orchestrator cannot tell that it is not root"
    if re.search(r"pip install", text) and not {"--no-index", "--require-hashes"} <= set(re.split(r"\s+", text)):
        yield "pip may fetch, or takes what has no hash"
    try:
        words = [*json.loads(said.get("ENTRYPOINT", "")), *json.loads(said.get("CMD", ""))]
    except json.JSONDecodeError:
        yield "ENTRYPOINT and CMD are no lists: a shell would start them"
        return
    yield from command_faults(words[words.index("portineria.cli.main") + 1 :])


def quadlet_faults(text: str) -> Iterator[str]:
    found = entries(text)
    for key, value in _CONTAINED.items():
        if found.get(key) != [value]:
            yield f"{key}={value} is missing, is {found.get(key)}"
    for key in ("AddCapability", "AddDevice", "SecurityLabelDisable", "PodmanArgs", "Network"):
        if key in found:
            yield f"{key} opens what was closed"
    own = entries(text.partition("[Container]")[2].partition("\n[")[0])
    yield from (f"podman's generator does not know {key}" for key in sorted(own.keys() - _KNOWN))
    for said in own.get("Volume", []):
        volume, *more = said.split(":")
        if not (QUADLET.parent / volume).is_file():
            yield f"{volume} is not there: the generator needs the file of the volume too"
        if more[1:] != ["U"]:
            yield f"{volume}: without U it belongs to the numbers of its first start"


def faults() -> Iterator[str]:
    for unit in UNITS:
        yield from (f"{unit.name}: {fault}" for fault in unit_faults(unit.read_text()))
    yield from systemd_faults(UNITS)
    yield from (f"Containerfile: {fault}" for fault in container_faults(CONTAINERFILE.read_text()))
    yield from (f"{QUADLET.name}: {fault}" for fault in quadlet_faults(QUADLET.read_text()))


def main(_verb: str = "check") -> int:
    found = list(faults())
    print("\n".join(found) or f"{len(UNITS)} units, the Containerfile and its unit are as they should be.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
