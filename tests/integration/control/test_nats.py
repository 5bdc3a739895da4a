# SPDX-License-Identifier: Apache-2.0
"""An installation on a NATS server: the files its commands write, with TLS, are all that the parts need."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sysconfig
import tempfile
import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from portineria.bus import message
from portineria.bus.message import CloseLegs, RelayUp, ToControl
from portineria.bus.nats_access import read_access
from portineria.bus.nats_bus import NatsBus
from portineria.bus.nats_connection import BusAway, Connection
from portineria.control.audit import news
from portineria.control.bus import share_news
from tests.integration.control.commands import run
from tests.integration.process import Process, eventually, free_port

pytestmark = pytest.mark.sqlite  # its servers have a database of their own


@dataclass
class Installed:
    state: Path
    url: str
    server: Process
    relays: list[str]  # public addresses

    def control(self, heard: list[ToControl], told: list[message.ToControls] | None = None) -> NatsBus:
        async def receive(message: ToControl) -> None:
            heard.append(message)

        nats = self.state / "nats"
        access = read_access(self.url, nats / "control.seed", nats / "certificate.pem")
        return NatsBus(access, receive, None if told is None else told.append)


@pytest.fixture
async def installed() -> AsyncIterator[Installed]:
    with tempfile.TemporaryDirectory(prefix="nats-") as folder:
        state, port = Path(folder) / "state", free_port()
        state.mkdir(mode=0o700)
        addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        settings = f'relays = ["{addresses[0]}", "{addresses[1]}"]\npublic_url = "http://{addresses[0]}"\n'
        (state / "portineria.toml").write_text(settings)
        made = run(state, "setup", "--organisation", "Mill", "--name", "Ada", "--email", "ada@mill.example")
        assert made.returncode == 0, made.stderr
        written = run(state, "nats", "--listen", f"127.0.0.1:{port}", "--host", "127.0.0.1")
        assert written.returncode == 0, written.stderr
        url = f"tls://127.0.0.1:{port}"
        assert f'bus = "{url}"' in written.stdout
        (state / "portineria.toml").write_text(f'{settings}bus = "{url}"\n')
        program = shutil.which("nats-server", path=sysconfig.get_path("scripts"))
        assert program is not None
        server = Process(["-c", str(state / "nats/nats.conf")], Path(folder) / "nats.log", program=program)
        await server.start()
        await eventually(lambda: "Server is ready" in server.said, "the NATS server listens")
        yield Installed(state, url, server, addresses)
        await server.end()


async def test_serve_and_its_relays_meet_on_nats(installed: Installed) -> None:
    serve = Process(
        ["-m", "portineria.cli.main", "serve", "--state", str(installed.state)], installed.state / "serve.log"
    )
    await serve.start()
    await eventually(lambda: '"serving"' in serve.said, f"both relays arrived: {serve.said}")
    assert not (installed.state / "run/bus").exists()
    assert await serve.end() == 0, serve.said


async def test_a_kit_is_all_that_a_relay_elsewhere_needs(installed: Installed) -> None:
    kit = installed.state.parent / "kit"
    made = run(installed.state, "relay-kit", installed.relays[1], "-o", str(kit))
    assert made.returncode == 0, made.stderr
    assert {stat.S_IMODE(os.stat(kit / name).st_mode) for name in ("key.pem", "bus.seed", "relay.toml")} == {0o600}
    key = (kit / "key.pem").read_bytes()
    kept = [path for path in installed.state.rglob("*") if path.is_file() and key in path.read_bytes()]
    assert kept == []  # the control plane cannot pass itself off as this relay
    relay = Process(["-m", "portineria.cli.main", "relay", str(kit / "relay.toml")], kit / "log")
    heard: list[ToControl] = []
    bus = installed.control(heard)
    name = tomllib.loads((kit / "relay.toml").read_text())["relay"]
    await bus.open([name])
    await relay.start()
    await eventually(lambda: RelayUp(name, []) in heard, f"it greets: {relay.said}")
    assert bus.publish(name, CloseLegs("ses_a"))
    assert await relay.end() == 0, relay.said
    await bus.close()


async def test_a_relay_that_nobody_set_up_gets_no_kit(installed: Installed) -> None:
    refused = run(installed.state, "relay-kit", "127.0.0.1:1", "-o", str(installed.state / "kit"))
    assert refused.returncode == 2
    assert "there is no relay 127.0.0.1:1" in refused.stderr


async def test_writing_again_keeps_what_was_handed_out(installed: Installed) -> None:
    folder = installed.state / "nats"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = run(installed.state, "nats", "--listen", installed.url.removeprefix("tls://"), "--host", "127.0.0.1")
    assert again.returncode == 0, again.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


async def test_a_server_with_another_certificate_is_not_spoken_to(installed: Installed) -> None:
    nats = installed.state / "nats"
    (nats / "certificate.pem").unlink()  # the server goes on with it
    made = run(installed.state, "nats", "--listen", installed.url.removeprefix("tls://"), "--host", "127.0.0.1")
    assert made.returncode == 0, made.stderr
    access = read_access(installed.url, nats / "control.seed", nats / "certificate.pem")
    connection = Connection(access, beat_s=1)
    with pytest.raises(BusAway, match="CERTIFICATE_VERIFY_FAILED"):
        await connection.open()
    await connection.close()


async def test_pages_of_another_process_hear_what_is_told_here(installed: Installed) -> None:
    told: list[message.ToControls] = []
    here, there = installed.control([]), installed.control([], told)
    await here.open([])
    await there.open([])
    share_news(here)
    item = news.News("org_a", 7, "access.grant.revoked", "per_a", session="ses_a")

    def heard() -> bool:
        news.tell(item)  # until both are connected nobody hears
        return message.News("org_a", 7, "access.grant.revoked", "per_a", session="ses_a") in told

    try:
        await eventually(heard, "the other process")
    finally:
        news.detach()
        await asyncio.gather(here.close(), there.close())
