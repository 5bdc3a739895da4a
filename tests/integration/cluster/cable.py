# SPDX-License-Identifier: Apache-2.0
"""A network namespace for each node of a cluster, with one cable to this machine that can be pulled."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

SERVERS = "10.204.255.1"  # what all nodes reach: the database and the bus


def ip(*words: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=20)
    assert not check or done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Cable:
    """Node ``number`` has the address 10.204.N.2."""

    def __init__(self, number: int) -> None:
        self._name = f"prtc{os.getpid() % 10000}-{number}"
        self._near = f"prtc{number}"
        self._ours, self.address = f"10.204.{number}.1", f"10.204.{number}.2"

    def open(self) -> None:
        ip("netns", "add", self._name)
        ip("link", "del", self._near, check=False)  # of a run that was killed
        ip("link", "add", self._near, "type", "veth", "peer", "name", "eth0", "netns", self._name)
        ip("addr", "add", f"{self._ours}/30", "dev", self._near)
        ip("link", "set", self._near, "up")
        ip("-n", self._name, "link", "set", "lo", "up")
        ip("-n", self._name, "addr", "add", f"{self.address}/30", "dev", "eth0")
        ip("-n", self._name, "link", "set", "eth0", "up")
        ip("-n", self._name, "route", "add", "default", "via", self._ours)

    def command(self, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self._name, *argv]

    def pull(self) -> None:
        ip("link", "set", self._near, "down")

    def plug(self) -> None:
        ip("link", "set", self._near, "up")

    def close(self) -> None:
        ip("link", "del", self._near, check=False)
        ip("netns", "del", self._name, check=False)
