# SPDX-License-Identifier: Apache-2.0
"""`portineria gateway emergency`: two PINs, one client, one connection, one device, recorded; and all that is not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyrage import x25519

from portineria.core.ids import Kind, new_id
from portineria.dataplane.gateway.emergency_pins import MOST_TRIES
from portineria.dataplane.gateway.local_door import Answer, CutNow, OpenNow, Proof, SetPin, Show, ask
from portineria.recording.chunk import read_chunk
from portineria.wire.report import Event
from portineria.wire.statement import EmergencyMachine, EmergencyService, EmergencyTerms
from tests.integration.authority import Authority
from tests.integration.floor import Device, Floor
from tests.integration.gateway_process import GatewayProcess
from tests.integration.process import eventually

IDENTITY = x25519.Identity.generate()
ONE, TWO = Proof("one@example.com", "gatehouse-19"), Proof("two@example.com", "lantern 4711")
WRONG = Proof("two@example.com", "lantern 4712")


@dataclass
class Cabinet:
    """A gateway that two people prepared for emergencies, and one device behind it."""

    authority: Authority
    process: GatewayProcess
    device: Device
    floor: Floor
    service: EmergencyService
    number: int = 0
    clients: list[socket.socket] = field(default_factory=list)

    @property
    def gateway(self) -> str:
        return self.process.gateway

    def terms(self, *, allowed: bool = True, locked: bool = False, minutes: int = 60) -> EmergencyTerms:
        self.number += 1
        machine = EmergencyMachine("mac_press", "Press 3", locked, [self.service])
        return EmergencyTerms(
            self.gateway, self.authority.organisation, self.number, allowed, minutes, [machine],
            [str(IDENTITY.to_public())],
        )  # fmt: skip

    async def say(self, terms: EmergencyTerms) -> EmergencyTerms:
        self.authority.send(self.gateway, terms)
        await eventually(lambda: bool(self.shown("permitted")) is terms.allowed, "heard")
        return terms

    def shown(self, name: str) -> object:
        return ask(self.process.state.door, Show()).said[name]

    async def pins(self, *proofs: Proof) -> None:
        for proof in proofs:
            assert (await asyncio.to_thread(ask, self.process.state.door, SetPin(proof))).code == ""
        await eventually(lambda: not self.shown("waiting"), "the server knows of them")

    async def open(self, first: Proof = ONE, second: Proof = TWO, **more: object) -> Answer:
        asked: dict[str, object] = {
            "machine": "Press 3", "service": "modbus", "client": self.floor.address(12), "reason": "runs away",
            "seconds": 600, "first": first, "second": second, **more,
        }  # fmt: skip
        return await asyncio.to_thread(ask, self.process.state.door, OpenNow(**asked))  # type: ignore[arg-type]

    def connect(self, opened: Answer, number: int = 12) -> socket.socket:
        """As a panel of the plant does, from that address of the floor."""

        def make() -> socket.socket:
            client = socket.socket()
            self.clients.append(client)
            client.settimeout(10)
            client.bind((self.floor.address(number), 0))
            client.connect((str(opened.said["address"]), int(str(opened.said["port"]))))
            return client

        made: socket.socket = self.floor._do(make)
        return made

    async def told(self, code: str, **fields: Any) -> Event:
        return await self.authority.event(self.gateway, code, **fields)


@pytest.fixture
async def cabinet(device: Device, floor: Floor, tmp_path: Path) -> AsyncIterator[Cabinet]:
    authority = await Authority(tmp_path).start(wait=False)
    process = GatewayProcess(
        authority, tmp_path / "gateway", reach=[f"{floor.network}:1-65535"], emergency_pause_s=0.0, recording_seal_s=0.2
    )
    authority.admit(process.gateway)
    await process.start()
    await authority.relay_up(authority.relay.address.relay)
    await authority.linked(process.gateway)
    await eventually(lambda: process.state.door.exists(), "the door")
    service = EmergencyService(new_id(Kind.SERVICE), "modbus", device.address, device.port)
    made = Cabinet(authority, process, device, floor, service)
    yield made
    for client in made.clients:
        client.close()
    await process.end()
    await authority.close()


async def by_command(c: Cabinet) -> Answer:
    """As the two do it at the machine."""
    command = [
        "emergency",
        "open",
        "Press 3",
        "502",
        "--from",
        c.floor.address(12),
        "--reason",
        "runs away",
        "--holders",
    ]
    asked = [*command, ONE.holder.upper(), TWO.holder, "--state", str(c.process.state.directory)]
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "portineria.cli.main", "gateway", *asked,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await running.communicate(f"{ONE.pin}\n{TWO.pin}\n".encode())
    assert running.returncode == 0, said
    address, _, port = said.decode().strip().rpartition(": ")[2].partition(" port ")
    return Answer(said={"address": address, "port": int(port)})


async def echoed(client: socket.socket, data: bytes) -> bytes:
    def talk() -> bytes:
        client.sendall(data)
        said = b""
        while len(said) < len(data) and (more := client.recv(1 << 16)):
            said += more
        return said

    return await asyncio.to_thread(talk)


def closed(client: socket.socket) -> bool:
    """Whether nothing comes any more."""
    client.settimeout(0)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    finally:
        client.settimeout(10)


async def test_without_a_line_two_people_open_one_connection_that_is_recorded_and_told_later(cabinet: Cabinet) -> None:
    c = cabinet
    assert (await c.open()).code == "emergency.not-permitted"
    old = await c.say(c.terms())
    assert (await c.open()).code == "emergency.pins"  # nobody has one
    await c.pins(ONE, TWO)
    assert (await asyncio.to_thread(ask, c.process.state.door, SetPin(Proof("x@example.com", ONE.pin)))).code == (
        "emergency.pin-taken"
    )
    await c.authority.relay.process.kill()
    # Set while no line leads away: whoever is alone with the machine makes themselves no second holder.
    assert (await asyncio.to_thread(ask, c.process.state.door, SetPin(Proof("x@example.com", "made up 99")))).code == ""
    assert (await c.open(second=Proof("x@example.com", "made up 99"))).code == "emergency.pins"
    refused = {
        "emergency.one-person": {"second": ONE}, "emergency.too-long": {"seconds": 3601},
        "emergency.unknown": {"service": "ssh"}, "client.form": {"client": "0.0.0.0/0"},
    }  # fmt: skip
    for code, more in refused.items():
        assert (await c.open(**more)).code == code  # type: ignore[arg-type]

    opened = await by_command(c)
    with contextlib.suppress(ConnectionResetError):  # so soon that the call itself hears of it
        stranger = c.connect(opened, 13)
        await eventually(lambda: closed(stranger), "another address is not listened to")
    client = c.connect(opened)
    assert await echoed(client, b"stop the press") == b"stop the press"
    with pytest.raises(ConnectionError):  # one use: nobody is listened for any more
        c.connect(opened)
    client.close()
    await eventually(lambda: c.shown("open") == [], "over with its connection")
    with pytest.raises(ConnectionError):
        c.connect(opened)

    await c.authority.restart_relay(c.authority.relay.address.relay)
    event = await c.told("emergency.opened", holder=ONE.holder, second=TWO.holder)
    assert (event.fields["machine"], event.fields["reason"], event.fields["linked"]) == (
        "mac_press",
        "runs away",
        False,
    )
    ended = await c.told("emergency.ended")
    assert (ended.fields["to_device"], ended.fields["from_device"], ended.session) == (14, 14, event.session)
    await c.told("stream.closed", how="tool.reset" if ended.fields["how"] == "tool.reset" else "finished")
    finished = await c.authority.event(c.gateway, "recording.finished", event.session)
    assert finished.fields["to_device"] == 14
    await c.told("emergency.refused", why="client.refused")
    assert not c.authority.faults
    # An old permission, said again after it was taken back.
    await c.say(c.terms(allowed=False))
    c.authority.send(c.gateway, old)
    assert (await c.open()).code == "emergency.not-permitted"


async def test_wrong_pins_are_few_also_over_restarts_and_the_server_hears_before_more_are_tried(
    cabinet: Cabinet,
) -> None:
    c = cabinet
    await c.say(c.terms())
    await c.pins(ONE, TWO)
    c.authority.acknowledges = False
    for tried in range(MOST_TRIES):
        assert (await c.open(second=WRONG)).code == "emergency.pins"
        if tried == 2:
            await c.process.kill()
            c.process.state.door.unlink(missing_ok=True)
            await c.process.start()
            await eventually(lambda: c.process.state.door.exists(), "the door")
    assert (await c.open()).code == "emergency.pins-locked"
    c.authority.acknowledges = True
    await c.authority.linked(c.gateway)
    await c.told("emergency.refused", failures=MOST_TRIES)
    await eventually(lambda: not c.shown("locked"), "the server knows of it")
    assert (await c.open()).code == ""
    assert not [line for line in c.process.log.read_text().splitlines() if ONE.pin in line or WRONG.pin in line]
    spool = c.process.state.spool.read_bytes()
    assert ONE.pin.encode() not in spool


async def test_locks_deadlines_cuts_and_kills_end_it_and_bring_nothing_back(cabinet: Cabinet) -> None:
    c = cabinet
    await c.say(c.terms())
    await c.pins(ONE, TWO)

    began = time.monotonic()
    opened = await c.open(seconds=5)
    client = c.connect(opened)
    assert await echoed(client, b"a") == b"a"
    c.authority.time_shift_ms = -86_400_000  # a day back, then the server says the time again
    await eventually(lambda: closed(client), "its time is over")
    assert time.monotonic() - began >= 5
    await c.told("emergency.ended", how="expired")

    opened = await c.open()
    client = c.connect(opened)
    assert await echoed(client, b"b") == b"b"
    c.authority.send(c.gateway, c.terms(locked=True))
    await eventually(lambda: closed(client), "locked meanwhile")
    await c.told("emergency.ended", how="emergency.withdrawn")
    assert (await c.open()).code == "emergency.locked"
    c.authority.send(c.gateway, c.terms())
    await eventually(lambda: not any("LOCKED" in row for row in c.shown("machines")), "free")  # type: ignore[attr-defined]

    opened = await c.open()
    client = c.connect(opened)
    assert await echoed(client, b"c" * 1000) == b"c" * 1000
    await asyncio.sleep(0.5)  # a seal, of which there are five a second
    await c.process.kill()
    assert closed(client)
    c.process.state.door.unlink(missing_ok=True)
    await c.process.start()
    await eventually(lambda: c.process.state.door.exists(), "the door")
    with pytest.raises(ConnectionError):
        c.connect(opened)
    assert c.shown("open") == []
    ended = await c.told("emergency.ended", how="gateway.restarted")
    finished = await c.authority.event(c.gateway, "recording.finished", ended.session)
    assert (finished.fields["end"], finished.fields["to_device"]) == ("gateway.restarted", 1000)
    await c.authority.event(c.gateway, "stream.closed", ended.session, how="gateway.restarted")
    chunks = [read_chunk(path.read_bytes()) for path in c.process.state.recordings.rglob("*") if path.is_file()]
    assert ended.session in {chunk.entry.session for chunk in chunks}

    opened = await c.open()
    client = c.connect(opened)
    assert await echoed(client, b"d") == b"d"
    cut = await asyncio.to_thread(ask, c.process.state.door, CutNow("smoke"))
    assert cut.said == {"ended": 1}
    await eventually(lambda: closed(client), "cut")
    assert (await c.open()).code == "gateway.cut"
    assert not c.authority.faults
