# SPDX-License-Identifier: Apache-2.0
"""A technician's computer from which nothing but a proxy can be reached: no route to anything else, and no resolver."""

import contextlib
import json
import os
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portineria.demo.main_job import AUTHORISE
from portineria.demo.namespace import Kind, PlantNetwork
from portineria.demo.processes import PORTINERIA
from portineria.demo.visitor import Visitor
from tests.integration.middlebox import Squid

WAIT_S = 90


def proxy_address(network: PlantNetwork) -> str:
    """Where a proxy has to listen so that this network can dial it."""
    return network.uplink(0)[0] if network.kind is Kind.ROOT else "127.0.0.1"


@dataclass
class Laptop:
    """Runs our commands inside ``network``; ``variables`` are what its person has in the environment."""

    network: PlantNetwork
    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def start(self, *words: str) -> "Iterator[subprocess.Popen[str]]":
        kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        process = subprocess.Popen(
            self.network.command([*PORTINERIA, *words]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env={**kept, "PORTINERIA_HOME": str(self.home), **self.variables},
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        with self.start(*words) as process:
            out, err = process.communicate(timeout=WAIT_S)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def asked(self, *words: str) -> Any:
        """The JSON that a command prints."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def sign_in(self, url: str, browser: Visitor, console: str, *options: str) -> str:
        """``portineria login``, agreed to in a browser that opens the server at ``console``. Return the news."""
        with self.start("login", url, "--no-browser", *options) as login:
            assert login.stdout is not None
            found = next((found for line in login.stdout if (found := AUTHORISE.search(line))), None)
            if found is not None:
                page = browser.get(found[0].replace(url, console, 1))
                browser.submit(page, page.form("challenge"))
                self._visit(browser.redirected or "")
            out, err = login.communicate(timeout=WAIT_S)
        assert login.returncode == 0, err
        return out

    def _visit(self, address: str) -> None:
        """The browser's last step comes back to this computer."""
        assert urllib.parse.urlsplit(address).hostname == "127.0.0.1", address
        command = self.network.command(["curl", "-sf", "--noproxy", "*", address])
        subprocess.run(command, check=True, capture_output=True, timeout=WAIT_S)


def tunnels(proxy: Squid, at_least: int) -> list[str]:
    """What the proxy let through, once it has written that down: it does so when a tunnel closes."""
    deadline = time.monotonic() + WAIT_S
    while len(found := [line for line in proxy.tunnels if "/200 " in line]) < at_least:
        assert time.monotonic() < deadline, proxy.tunnels
        time.sleep(0.1)
    return found
