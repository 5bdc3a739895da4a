# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
# Without what draws windows, tabs and menus, which nobody sees here; the whole one serves too. docs/decisions/0141
CHROMIUM = ("/usr/lib/chromium/chromium-headless-shell", "/usr/bin/chromium")
START_S = 60  # the world is made by ordinary services: some hundred transactions, each synced to disk
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
LOCALES = {"en": "en-GB", "it": "it-IT", "ja": "ja-JP"}


@dataclass
class Server:
    """A console with something on every page, and a way to let a gateway speak."""

    url: str
    process: subprocess.Popen[str]
    cookies: dict[str, str]
    emails: dict[str, str]
    ids: dict[str, str]

    def receipt(self, session: str) -> None:
        self._say(f"receipt {session}")

    def traffic(self, session: str, to_device: int) -> None:
        self._say(f"traffic {session} {to_device}")

    def glance(self, session: str, part: int, targets: str) -> None:
        self._say(f"glance {session} {part} {targets}")

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # our own http address
            return True
    except OSError:
        return False


# Not of the session: a console that nobody looks at any more would run beside all other tests.
@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, port = tmp_path_factory.mktemp("console"), free_port()
    url = f"http://localhost:{port}"
    with (folder / "errors.txt").open("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.server", str(folder / "state"), str(port)],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, (folder / "errors.txt").read_text()
            deadline = time.monotonic() + START_S
            while not answers(f"{url}/accounts/login/"):
                assert process.poll() is None, (folder / "errors.txt").read_text()
                assert time.monotonic() < deadline, "the console does not answer"
                time.sleep(0.05)
            yield Server(url, process, **json.loads(line))
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    installed = [program for program in CHROMIUM if shutil.which(program)]
    if not installed:
        pytest.skip("needs Chromium: sudo apt-get install chromium-headless-shell")
    # Per module, not per session: while it is open its own event loop runs in this thread, and no other may.
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=installed[0], args=["--no-sandbox"])
        yield chromium
        chromium.close()


# Another test, with networks of its own, gave this machine an interface: the browser says so of what it was loading.
OF_THE_MACHINE = ("net::ERR_NETWORK_CHANGED",)


@dataclass
class Noise:
    """What a browser complains about: errors of scripts, violations of the policy, answers 500."""

    heard: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", lambda said: self.heard.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.heard.append(str(error)))
        page.on("response", lambda answer: self.heard.append(f"500 {answer.url}") if answer.status >= 500 else None)


Open = Callable[..., Page]


@pytest.fixture
def open_as(server: Server, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Open]:
    """``open_as("owner")``: a page of that character, signed in; ``""`` is a stranger. Complaints fail the test."""
    contexts: list[BrowserContext] = []
    noise = Noise()

    def opened(character: str, path: str | None = "/", **options: Any) -> Page:
        options.setdefault("viewport", DESKTOP)
        options.setdefault("locale", "en-GB")
        context = browser.new_context(base_url=server.url, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        if character:
            context.add_cookies([{"name": "sessionid", "value": server.cookies[character], "url": server.url}])
        page = context.new_page()
        noise.listen(page)
        if path is not None:
            page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    expected = (*OF_THE_MACHINE, *getattr(request.node, "expected_noise", ()))
    assert [text for text in noise.heard if not any(part in text for part in expected)] == []
