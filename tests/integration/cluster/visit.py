# SPDX-License-Identifier: Apache-2.0
"""What people do on a cluster, also while a part of it is away."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portineria.core.errors import Unavailable
from portineria.demo.main_job import HeldSession, approve, journal
from portineria.demo.plant.panel import file_chunks
from portineria.demo.processes import portineria
from portineria.demo.visitor import Visitor
from tests.integration.cluster.cluster import Cluster
from tests.integration.cluster.validator import disagreements

MACHINE = "Torino press 3"
BYTES = 40_000_000


class Visit:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.env = cluster.environment("technician")
        self._owner: Visitor | None = None

    @property
    def owner(self) -> Visitor:
        """Signed in once, whichever web process that was."""
        if self._owner is None:
            self._owner = self.cluster.person("Owner")
        return self._owner

    def run(self, *words: str) -> Any:
        return json.loads(portineria(*words, "--json", env=self.env))

    def may_reach(self, machine: str) -> None:
        made = self.run("request", machine, "--reason", "test", "--minutes", "120")
        approve(self.cluster, "Shift leader", made["request"])

    def held(self, *options: str) -> contextlib.AbstractContextManager[HeldSession]:
        return HeldSession(MACHINE, self.env, *options)

    def page(self, path: str = "/") -> bool:
        """Whether the owner sees it."""
        try:
            return self.owner.get(path).status == 200
        except Unavailable:
            return False

    def state(self, session: str) -> dict[str, Any]:
        return next(row for row in self.run("sessions") if row["session"] == session)

    def connections(self) -> int:
        return len(journal(self.cluster.plants[0], "connect", "panel"))

    @contextlib.contextmanager
    def download(self, held: HeldSession, file: Path, rate: str) -> Iterator[Download]:
        address, port = held.doors["http"]
        url = f"http://{address}:{port}/file?bytes={BYTES}"
        process = subprocess.Popen(["curl", "-sf", "--limit-rate", rate, "-o", str(file), url])
        try:
            yield Download(file, process)
        finally:
            process.kill()
            process.wait()

    def converged(self) -> bool:
        return not disagreements(self.cluster)

    def settles(self) -> None:
        with contextlib.suppress(AssertionError):  # what they do not agree on says more than that time is over
            self.cluster.until(self.converged, seconds=90)
        assert not (found := disagreements(self.cluster)), found


class Download:
    def __init__(self, file: Path, process: subprocess.Popen[bytes]) -> None:
        self._file, self._process = file, process

    @property
    def size(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0

    def is_whole(self, *, within_s: float = 120) -> bool:
        if self._process.wait(within_s) != 0:
            return False
        expected = hashlib.sha256()
        for chunk in file_chunks(BYTES, "Torino press line 3"):
            expected.update(chunk)
        return hashlib.sha256(self._file.read_bytes()).digest() == expected.digest()
