# SPDX-License-Identifier: Apache-2.0
"""From an empty folder to the first byte of a controller, as somebody does it who has never seen it before."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pymodbus.client import ModbusTcpClient

from tests.browser.conftest import DESKTOP, answers, free_port
from tests.browser.test_journeys import Doing, totp

pytestmark = pytest.mark.browser

MOST = 25  # what is typed and clicked, commands among it
PASSWORD = "correct horse battery staple"
PLC = "127.0.0.71"
WAIT_S = 60


@dataclass(kw_only=True)
class Newcomer(Doing):
    """Counts each command as well."""

    home: Path

    def types(self, *words: str) -> list[str]:
        self.all.append("$ portineria " + " ".join(words))
        return [sys.executable, "-m", "portineria.cli.main", *words]

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PORTINERIA", "DJANGO"))}
        return {**kept, "PORTINERIA_HOME": str(self.home / "laptop")}

    def runs(self, *words: str) -> str:
        ran = subprocess.run(
            self.types(*words), env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=WAIT_S,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-2000:]
        return ran.stdout

    @contextmanager
    def keeps_running(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        with (self.home / f"{words[0]}-{len(self.all)}.log").open("w") as log:
            process = subprocess.Popen(
                self.types(*words), env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=log, text=True,
            )  # fmt: skip
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.communicate(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()


def until(what: str, happened: object) -> None:
    assert callable(happened)
    deadline = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < deadline, f"{what}: not in time"
        time.sleep(0.05)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """The paths of Unix sockets have at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="first-") as folder:
        yield Path(folder)


@contextmanager
def controller(state: Path) -> Iterator[None]:
    """The press of the demonstration: its controller speaks Modbus/TCP."""
    base = str(IPv4Address(PLC) - 1)
    command = [sys.executable, "-m", "portineria.demo.plant", "--high-ports", "--address", base, "--state", str(state)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline()
        yield
    finally:
        process.terminate()
        process.communicate(timeout=10)


def sign_up(newcomer: Newcomer, page: Page) -> None:
    newcomer.fills(page, "New password", PASSWORD)
    newcomer.fills(page, "New password, once more", PASSWORD)
    newcomer.clicks(page, "button", "Save")
    newcomer.clicks(page, "link", "Set up")
    secret = page.locator(".copy [data-copy]").get_attribute("data-copy")
    assert secret is not None
    newcomer.fills(page, "2. Type the code that the app shows now", totp(secret, time.time()))
    newcomer.clicks(page, "button", "Set up")
    newcomer.clicks(page, "link", "I have kept them")


@pytest.mark.slow
@pytest.mark.timeout(180)  # three minutes
def test_from_nothing_to_the_first_byte_of_a_controller(browser: Browser, short_path: Path) -> None:
    newcomer, port = Newcomer(home=short_path), free_port()
    server, gateway = short_path / "server", short_path / "gateway"
    server.mkdir()
    (server / "portineria.toml").write_text(f'public_url = "http://localhost:{port}"\n')  # the usual port may be taken
    with ExitStack() as running:
        running.enter_context(controller(short_path / "plant"))
        printed = newcomer.runs(
            "setup", "--state", str(server), "--organisation", "Brandt Presses", "--name", "Owner",
            "--email", "owner@brandt.example", "--time-zone", "Europe/Rome",
        )  # fmt: skip
        running.enter_context(newcomer.keeps_running("serve", "--state", str(server)))
        url = f"http://localhost:{port}"
        until("the console answers", lambda: answers(f"{url}/accounts/login/"))
        context = browser.new_context(base_url=url, viewport=DESKTOP, locale="en-GB")  # type: ignore[arg-type]
        running.callback(context.close)
        context.set_default_timeout(20_000)
        page = context.new_page()
        found = re.search(r"http://\S+", printed.partition("Then set")[2])
        assert found is not None
        page.goto(found[0])
        sign_up(newcomer, page)
        newcomer.fills(page, "Name of the plant", "Plant North")
        newcomer.clicks(page, "button", "Add the plant")
        offered = page.locator("code, .command", has_text="gateway enrol").first.inner_text().split()
        enrol = running.enter_context(
            newcomer.keeps_running(
                *offered[1:], "--state", str(gateway), "--name", "gateway-north", "--reach", f"{PLC}:1502",
                "--loopback-devices",
            )
        )  # fmt: skip
        newcomer.clicks(page, "link", "Compare and admit")
        newcomer.ticks(page, "I have compared the whole fingerprint, and it is the same.")
        newcomer.clicks(page, "button", "Admit")
        assert enrol.wait(WAIT_S) == 0
        running.enter_context(newcomer.keeps_running("gateway", "run", "--state", str(gateway)))
        add_machine(newcomer, page)
        words = page.locator("code, .command", has_text="portineria connect").first.inner_text()
        connect = running.enter_context(newcomer.keeps_running(*shlex.split(words)[1:]))
        allow(newcomer, page, connect)
        assert first_byte(newcomer, connect) is not None
        print(*newcomer.all, sep="\n")
        assert len(newcomer.all) <= MOST, json.dumps(newcomer.all, indent=1, ensure_ascii=False)


def add_machine(newcomer: Newcomer, page: Page) -> None:
    newcomer.clicks(page, "link", "Add a machine")
    newcomer.fills(page, "Name", "Press 3")
    newcomer.fills(page, "Address", PLC)
    newcomer.fills(page, "Another port (optional)", "1502")
    newcomer.ticks(page, "Open it to me for an hour, so that I can try it")
    newcomer.clicks(page, "button", "Add the machine")
    expect(page.get_by_text("You may reach this machine now")).to_be_visible()
    expect(page.locator("section", has=page.locator("#in-title")).get_by_text("connected", exact=True)).to_be_visible()


def said(process: subprocess.Popen[str], pattern: str) -> str:
    """The first line of it that fits."""
    assert process.stdout is not None
    found = next((found for line in process.stdout if (found := re.search(pattern, line))), None)
    assert found is not None
    return found[1]


def allow(newcomer: Newcomer, page: Page, connect: subprocess.Popen[str]) -> None:
    page.goto(said(connect, r"(http://\S+/connect/\S+)"))
    newcomer.clicks(page, "button", "Yes, sign it in")


def first_byte(newcomer: Newcomer, connect: subprocess.Popen[str]) -> object:
    address, port = said(connect, r"(127[.\d]+, port \d+)").split(", port ")
    newcomer.all.append("the engineering tool reads")
    with ModbusTcpClient(address, port=int(port)) as tool:
        return tool.read_holding_registers(100, count=1).registers
