# SPDX-License-Identifier: Apache-2.0
"""Consent signals where they are read: files, a real Modbus device, a real OPC UA server; what fails, and what never
happens: a write, a hurry, a value that nobody read.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from portineria.dataplane.gateway.reach import ReachList
from portineria.dataplane.gateway.signal_sources import Modbus
from portineria.dataplane.gateway.signals import ASKED_S, Signals, _Device
from portineria.wire.report import SignalValues
from portineria.wire.statement import ReadSignals, SignalSource
from tests.integration.gateway.conftest import Plant
from tests.integration.process import as_a_child_of_a_test, eventually, free_port

SERVER = Path(__file__).with_name("signal_server.py")


class Devices:
    """Both servers, and what is said to them."""

    def __init__(self, folder: Path) -> None:
        self.modbus, self.opcua, self.journal = free_port(), free_port(), folder / "journal"
        self.node = ""

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, str(SERVER), str(self.modbus), str(self.opcua), str(self.journal),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, preexec_fn=as_a_child_of_a_test,
        )  # fmt: skip
        self.node = (await self._heard()).removeprefix("ready ").strip()

    async def _heard(self) -> str:
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), 30)).decode()

    async def say(self, line: str, *, wait: bool = True) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        if wait:
            assert await self._heard() == "done\n"

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


@pytest.fixture
async def devices(tmp_path: Path) -> AsyncIterator[Devices]:
    made = Devices(tmp_path)
    await made.start()
    yield made
    if made.process.returncode is None:
        await made.kill()


class Reading:
    """A gateway's reading of signals, and the control plane that goes on asking."""

    def __init__(self, folder: Path, sources: list[SignalSource]) -> None:
        (folder / "reach.toml").write_text('[[reach]]\naddress = "127.0.0.0/8"\nports = "1024-65535"\n')
        self.files = folder / "signals"
        self.files.mkdir()
        reach = ReachList(folder / "reach.toml", loopback_devices=True)
        self.told: list[SignalValues] = []
        self.at = 100.0
        self.signals = Signals(self.files, reach, bytes(32), self.told.append, lambda: self.at)
        self.sources, self.number = sources, 0

    async def asking(self) -> None:
        while True:
            self.number += 1
            self.signals.take(ReadSignals("gw_a", secrets.token_bytes(32), self.number, self.sources))
            await asyncio.sleep(0.5)

    def now(self) -> dict[str, bool | None]:
        return {value.signal: value.on for value in self.told[-1].values} if self.told else {}


class Between:
    """Stands in front of the OPC UA server and keeps what both say."""

    def __init__(self, port: int) -> None:
        self.port, self.said, self.answered = port, bytearray(), bytearray()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await asyncio.gather(self._copy(reader, to, self.said), self._copy(there, writer, self.answered))
        finally:
            writer.close()
            to.close()

    async def _copy(self, one: asyncio.StreamReader, other: asyncio.StreamWriter, kept: bytearray) -> None:
        with suppress(ConnectionError):
            while data := await one.read(65536):
                kept += data
                other.write(data)
        if not other.is_closing():
            other.write_eof()


def sources(devices: Devices) -> list[SignalSource]:
    modbus = {"address": "127.0.0.1", "port": devices.modbus, "unit": 1}
    return [
        SignalSource("sgn_file", "file", place="button"),
        SignalSource("sgn_coil", "modbus-coil", number=17, **modbus),  # type: ignore[arg-type]
        SignalSource("sgn_input", "modbus-discrete", number=3, **modbus),  # type: ignore[arg-type]
        SignalSource("sgn_none", "modbus-coil", number=9000, **modbus),  # type: ignore[arg-type]
        SignalSource("sgn_node", "opcua-node", address="127.0.0.1", port=devices.opcua, place=devices.node),
        SignalSource("sgn_far", "modbus-coil", address="192.0.2.1", port=502, number=1),
    ]


async def test_each_kind_of_source_is_read_followed_and_given_up(devices: Devices, tmp_path: Path) -> None:
    between = Between(devices.opcua)
    server = await asyncio.start_server(between, "127.0.0.1", 0)
    devices.opcua = server.sockets[0].getsockname()[1]
    reading = Reading(tmp_path, sources(devices))
    button = reading.files / "button"
    (tmp_path / "value").write_text("0\n")  # as the kernel writes a GPIO's
    button.symlink_to(tmp_path / "value")
    asking = asyncio.create_task(reading.asking())
    off = {"sgn_file": False, "sgn_coil": False, "sgn_input": False, "sgn_none": None, "sgn_node": False}
    await eventually(lambda: reading.now() == off | {"sgn_far": None}, f"{reading.told[-1:]}")
    for line in ("coil 17 1", "discrete 3 1", "node 1"):
        await devices.say(line)
    (tmp_path / "value").write_text("1\n")
    on = {name: True if value is False else None for name, value in off.items()} | {"sgn_far": None}
    await eventually(lambda: reading.now() == on)
    faults = {value.signal: value.fault for value in reading.told[-1].values}
    assert (faults["sgn_far"], faults["sgn_none"]) == ("reach.refused", "signal.unreadable")

    button.unlink()
    os.mkfifo(button)  # whoever opens it for reading would wait for ever
    await devices.say("silent 3", wait=False)
    nothing = dict.fromkeys(on)
    await eventually(lambda: reading.now() == nothing, "a device that hangs is no yes")
    button.unlink()
    button.write_text("yes")
    assert await devices._heard() == "done\n"
    await eventually(lambda: reading.now() == on | {"sgn_file": None}, "it comes back by itself")
    # The session that was given up is ended, and its channel: the server had answered that before anything new.
    await eventually(lambda: b"\x01\x00" + (473 + 3).to_bytes(2, "little") in between.answered)
    assert b"CLOF" in between.said
    await devices.kill()
    await eventually(lambda: reading.now() == nothing)
    parts = [told.part for told in reading.told]
    assert parts == list(range(1, len(parts) + 1))
    asking.cancel()
    await reading.signals.close()
    server.close()
    await server.wait_closed()
    assert set(devices.journal.read_text().split()) == {"1", "2"}  # read coils, read discrete inputs: nothing else


async def test_a_letter_played_again_changes_nothing_and_bad_names_read_nothing(tmp_path: Path) -> None:
    names = ["../value", "/etc/hostname", ".", "..", "", "folder"]
    reading = Reading(tmp_path, [SignalSource(f"sgn_{place}", "file", place=name) for place, name in enumerate(names)])
    (tmp_path / "value").write_text("1")
    (reading.files / "folder").mkdir()
    newer = ReadSignals("gw_a", secrets.token_bytes(32), 9, reading.sources)
    reading.signals.take(newer)
    reading.signals.take(ReadSignals("gw_a", secrets.token_bytes(32), 8, [SignalSource("sgn_old", "file", place="x")]))
    await eventually(lambda: reading.told)
    assert set(reading.now().values()) == {None}
    assert reading.told[-1].nonce == newer.nonce
    reading.at += ASKED_S  # nobody asks any more: a server whose clock was set back begins anew
    lower = ReadSignals("gw_a", secrets.token_bytes(32), 3, reading.sources)
    reading.signals.take(lower)
    await eventually(lambda: reading.told[-1].nonce == lower.nonce)
    await reading.signals.close()


async def test_a_gateway_says_what_it_reads_as_long_as_it_is_asked(plant: Plant) -> None:
    folder = plant.process.state.signals
    folder.mkdir()
    (folder / "lock-out").write_text("1")
    letter = ReadSignals(plant.gateway, secrets.token_bytes(32), 7, [SignalSource("sgn_a", "file", place="lock-out")])
    plant.authority.send(plant.gateway, letter)
    told = plant.authority.gateways[plant.gateway].signals
    await eventually(lambda: told)
    assert (told[0].nonce, told[0].part, told[0].values[0].on) == (letter.nonce, 1, True)


async def test_of_a_slow_device_each_second_reads_on_where_the_last_one_stopped() -> None:
    connections, left = list[asyncio.StreamWriter](), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        try:
            while request := await reader.read(12):
                await asyncio.sleep(0.2)
                writer.write(request[:4] + b"\0\4" + request[6:8] + b"\1\1")
        finally:
            writer.close()
            left.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        device = _Device(Modbus("127.0.0.1", port))
        sources = [SignalSource(f"sgn_{number}", "modbus-coil", number=number) for number in range(4)]
        read = [[(value.signal, value.on) for value in await device.values(sources)] for _ in range(2)]
        device.close()
        await left.wait()
        await asyncio.gather(*(writer.wait_closed() for writer in connections), return_exceptions=True)
    assert read == [[(f"sgn_{number}", True) for number in order] for order in ((0, 1, 2), (3, 0, 1))]
    assert len(connections) == 1
