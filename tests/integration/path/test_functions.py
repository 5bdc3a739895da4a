# SPDX-License-Identifier: Apache-2.0
"""A function profile over the whole path: stock clients at one end, the demo's controller and drives at the other."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from asyncua.client.client import Client as OpcUaClient
from asyncua.ua.uaerrors import UaStatusCodeError
from py1815.control import CommandStatus
from py1815.decode import PointType
from py1815.master import Master
from py1815.master.association import Outcome
from pymodbus.client import ModbusTcpClient
from snap7 import Client
from snap7.error import S7Error

from portineria.demo.main_job import HeldSession, journal
from portineria.demo.processes import PORTINERIA, portineria
from tests.integration.path.conftest import OUTSTATION, WholePath
from tests.integration.protocols.controlled import Controlled, running
from tests.integration.protocols.dnp3 import server as dnp3

SETPOINT = 104
MACHINE = "Torino press 3 observed"


@dataclass
class Bench:
    path: WholePath
    rule: str
    held: HeldSession
    outstation: Controlled

    def client(self) -> ModbusTcpClient:
        address, port = self.held.doors["modbus"]
        made = ModbusTcpClient(address, port=port, timeout=20, retries=0)
        assert made.connect()
        return made

    def writes(self) -> int:
        """As the controller's own journal counts those that arrived, taken or not."""
        return len(journal(self.path.stage.plants[0], "write"))

    def told(self, code: str, count: int) -> list[dict[str, object]]:
        self.path.until(lambda: len(self.path.act("told", self.held.session, code)) >= count)
        return list(self.path.act("told", self.held.session, code))


@pytest.fixture(scope="module")
def bench(path: WholePath) -> Iterator[Bench]:
    made = path.act("inspected", f"{path.stage.plants[0].name} press 3", MACHINE, "observe")
    path.act("add_service_to", MACHINE, "dnp3", str(OUTSTATION[1]), f"outstation {dnp3.OUTSTATION}")
    path.run("request", MACHINE, "--reason", "look", "--minutes", "60")
    command = path.stage.plants[0].network.command(
        [sys.executable, dnp3.__file__, "{}:{}".format(*OUTSTATION)], where="floor"
    )
    with running(command) as outstation, HeldSession(MACHINE, path.env) as held:
        yield Bench(path, made["rule"], held, outstation)


def test_a_write_is_refused_as_the_protocol_refuses_and_the_client_goes_on(bench: Bench) -> None:
    client, before = bench.client(), bench.writes()
    refused = client.write_register(SETPOINT, 1500, device_id=1)
    assert (refused.isError(), refused.exception_code) == (True, 1)
    for _ in range(100):
        assert not client.read_holding_registers(SETPOINT, count=1, device_id=1).isError()
    assert client.write_registers(112, [1, 2], device_id=1).exception_code == 1
    assert client.write_coil(0, False, device_id=1).exception_code == 1
    assert not client.read_coils(0, count=2, device_id=1).isError()
    client.close()
    assert bench.writes() == before

    told = bench.told("operation.refused", 3)
    assert [(event["function"], event["targets"], event["reason"]) for event in told[:3]] == [
        ("write-single-register", "holding 104", "function"),
        ("write-multiple-registers", "holding 112-113", "function"),
        ("write-single-coil", "coil 0", "function"),
    ]


def test_another_unit_is_another_device(bench: Bench) -> None:
    client = bench.client()
    reached = len(journal(bench.path.stage.plants[0], "read"))
    assert client.read_holding_registers(SETPOINT, count=1, device_id=7).exception_code == 1
    client.close()
    assert len(journal(bench.path.stage.plants[0], "read")) == reached


def test_two_thousand_operations_after_a_refusal_need_no_second_connection(bench: Bench) -> None:
    client = bench.client()
    assert not client.read_holding_registers(100, count=2, device_id=1).isError()
    connected = len(journal(bench.path.stage.plants[0], "connect"))
    assert client.write_register(SETPOINT, 1500, device_id=1).isError()
    for _ in range(2_000):
        assert not client.read_holding_registers(100, count=2, device_id=1).isError()
    assert client.write_register(SETPOINT, 1500, device_id=1).isError()
    client.close()
    assert len(journal(bench.path.stage.plants[0], "connect")) == connected


def test_a_wider_profile_gives_nothing_to_what_was_approved_before(bench: Bench) -> None:
    """The session goes on under a newer order, on the same connection."""
    client, before = bench.client(), bench.writes()
    assert bench.path.act("set_rule_profile", bench.rule, "engineer") == "engineer"
    bench.path.until(
        lambda: "remote_sessions.session.functions-changed" in bench.path.act("events", bench.held.session)
    )
    bench.path.until(lambda: bench.path.session(bench.held.session)["state"] == "live")
    assert client.write_register(SETPOINT, 1500, device_id=1).exception_code == 1
    client.close()
    assert bench.writes() == before


def test_drives_are_read_and_neither_written_nor_stopped(bench: Bench) -> None:
    plant, client = bench.path.stage.plants[0], Client()
    address, port = bench.held.doors["s7"]
    client.connect(address, 0, 1, port)
    before = client.db_read(1, 26, 16)
    arrived = len(journal(plant, "write", "drives"))
    for _ in range(20):
        with pytest.raises(S7Error):
            client.db_write(1, 4, bytearray(4))
        with pytest.raises(S7Error):
            client.plc_stop()
        assert client.db_read(1, 26, 16) == before
    client.disconnect()
    assert len(journal(plant, "write", "drives")) == arrived
    told = bench.told("operation.refused", 1)
    assert {"write-variable", "plc-stop"} <= {event["function"] for event in told if event["protocol"] == "s7comm"}


def test_opc_ua_is_read_and_not_written(bench: Bench) -> None:
    address, port = bench.held.doors["opcua"]
    asyncio.run(_read_and_try_to_write(f"opc.tcp://{address}:{port}/press3"))
    told = bench.told("operation.refused", 1)
    assert "write" in {event["function"] for event in told if event["protocol"] == "opcua"}


async def _read_and_try_to_write(url: str) -> None:
    async with OpcUaClient(url) as client:
        index = await client.get_namespace_index("urn:portineria:demo:press")
        press = await client.nodes.objects.get_child(f"{index}:Press")
        setpoint = await press.get_child(f"{index}:Setpoint")
        before = await setpoint.read_value()
        for _ in range(20):
            with pytest.raises(UaStatusCodeError):
                await setpoint.write_value(before + 1)
            assert await setpoint.read_value() == before


def test_an_outstation_is_polled_and_not_commanded(bench: Bench) -> None:
    """A stock master; its answers take several fragments of several frames."""
    asyncio.run(_poll_and_try_to_command(*bench.held.doors["dnp3"]))
    assert bench.outstation.state() == {"acts": [], "reads": 5}

    def refused() -> set[tuple[object, object]]:
        told = bench.told("operation.refused", 1)
        return {(event["function"], event["reason"]) for event in told if event["protocol"] == "dnp3"}

    bench.path.until(lambda: {("binary-direct-operate", "function"), ("cold-restart", "function")} <= refused())


async def _poll_and_try_to_command(address: str, port: int) -> None:
    async with Master() as master:
        rtu = await master.add(
            "rtu", host=address, port=port, outstation_address=dnp3.OUTSTATION, manual=True, confirm=True
        )
        for _ in range(5):
            done = await rtu.operate(binary_outputs={3: True}, mode="direct")
            assert done.status(PointType.BINARY_OUTPUT, 3) == CommandStatus.NOT_AUTHORIZED
            poll = await rtu.integrity_poll()
            assert (poll.outcome, len(poll.objects)) == (Outcome.COMPLETE, dnp3.BLOCKS * dnp3.POINTS)
        assert (await rtu.restart()).outcome is Outcome.COMPLETE
        assert rtu.connected


def test_the_page_of_the_session_shows_what_was_refused(bench: Bench) -> None:
    bench.told("operation.refused", 1)
    page = bench.path.person("Shift leader").get(f"/sessions/{bench.held.session}/")
    assert page.status == 200
    assert "write-single-register" in page.text
    assert "holding 104" in page.text


def test_whoever_looks_on_sees_what_is_done_as_it_is_done(bench: Bench) -> None:
    """Not recorded, but inspected: the lines come from the gateway to the open page, and stay nowhere."""
    leader, client = bench.path.person("Shift leader"), bench.client()
    with leader.listening(f"/live/?session={bench.held.session}") as lines:
        seen: list[dict[str, object]] = []
        deadline = time.monotonic() + 30
        while not {"passed", "refused"} <= {str(line["verdict"]) for line in seen}:
            assert time.monotonic() < deadline
            assert not client.read_holding_registers(SETPOINT, count=1, device_id=1).isError()
            assert client.write_register(SETPOINT, 1500, device_id=1).isError()
            for line in lines:
                if line.startswith("data: {"):
                    seen += json.loads(line.removeprefix("data: "))["lines"]
                if not line:
                    break
    client.close()
    read, write = (next(line for line in seen if line["verdict"] == verdict) for verdict in ("passed", "refused"))
    assert (read["function"], read["targets"], read["answered"]) == ("read-holding-registers", "holding 104", True)
    assert (write["function"], write["values"]) == ("write-single-register", "1500")
    assert leader.get(f"/sessions/{bench.held.session}/").text.count("Somebody looks on at the session") == 1


def test_a_frozen_session_reaches_no_device_and_loses_nothing(bench: Bench) -> None:
    """By the button on the page; what was asked meanwhile arrives once, after the thaw."""
    client, plant = bench.client(), bench.path.stage.plants[0]
    assert not client.read_holding_registers(100, count=1, device_id=1).isError()
    shown = _press(bench, "freeze", "Nothing has been passed on to the machine since")
    latency = re.search(r"(\d+) ms after the order arrived", shown)
    assert latency is not None
    assert int(latency[1]) < 2_000
    reached = len(journal(plant, "read"))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.read_holding_registers, 101, count=1, device_id=1)
        time.sleep(1.0)  # nothing is to happen, so there is nothing to wait for
        assert (len(journal(plant, "read")), asked.done()) == (reached, False)
        _press(bench, "thaw", 'id="freeze"')
        assert not asked.result(20).isError()
    assert len(journal(plant, "read")) == reached + 1
    client.close()


def _press(bench: Bench, what: str, then: str) -> str:
    """Return the page on which ``then`` stands."""
    leader, address = bench.path.person("Shift leader"), f"/sessions/{bench.held.session}/"
    page = leader.get(f"{address}{what}/")
    assert leader.submit(page, page.form("reason"), reason="smoke at the press").status == 200
    bench.path.until(lambda: then in leader.get(address).text)
    return leader.get(address).text


@pytest.fixture(scope="module")
def worked(bench: Bench) -> str:
    """Another session, under the wider profile, with changes over each protocol; it has ended."""
    bench.path.act("revoke_grants", MACHINE)
    bench.path.run("request", MACHINE, "--reason", "new setpoints", "--minutes", "60")
    with HeldSession(MACHINE, bench.path.env) as held:
        with ModbusTcpClient(held.doors["modbus"][0], port=held.doors["modbus"][1], timeout=20, retries=0) as client:
            client.write_register(SETPOINT, 1200, device_id=1)
            assert client.read_holding_registers(100, count=5, device_id=1).registers[4] == 1200
            assert not client.write_register(SETPOINT, 1500, device_id=1).isError()
            assert client.write_register(SETPOINT, 9999, device_id=1).isError()
        drives = Client()
        drives.connect(held.doors["s7"][0], 0, 1, held.doors["s7"][1])
        drives.db_read(2, 0, 16)
        drives.db_write(2, 4, bytearray((0x42, 0xF0, 0, 0)))
        drives.disconnect()
        address, port = held.doors["opcua"]
        asyncio.run(_add_one(f"opc.tcp://{address}:{port}/press3"))
        bench.path.act("revoke_grants", MACHINE)
    bench.path.until(lambda: bench.path.act("told", held.session, "session.worked"))
    return held.session


async def _add_one(url: str) -> None:
    async with OpcUaClient(url) as client:
        index = await client.get_namespace_index("urn:portineria:demo:press")
        press = await client.nodes.objects.get_child(f"{index}:Press")
        setpoint = await press.get_child(f"{index}:Setpoint")
        await setpoint.write_value(await setpoint.read_value() + 1)


def test_the_technician_takes_the_evidence_of_the_session_and_checks_it_alone(
    bench: Bench, worked: str, tmp_path: Path
) -> None:
    file = tmp_path / "session.zip"
    portineria("evidence", "fetch", worked, "-o", str(file), env=bench.path.env)
    checked = subprocess.run(
        [*PORTINERIA, "evidence", "verify", str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert worked in checked.stdout
    report = bench.path.person("Shift leader").get(f"/sessions/{worked}/report/")
    assert report.status == 200
    assert "holding 104" in report.text
    assert "0x42f00000" in report.text


def test_the_register_says_what_was_changed_from_what_to_what(bench: Bench, worked: str) -> None:
    """Old values come from the session's own reads, so the first write of a setpoint nobody had read has none."""
    told = bench.path.act("told", worked, "work.changed")
    changes = {line["protocol"]: line for line in told}
    assert [changes["modbus"][name] for name in ("targets", "after", "count", "unconfirmed")] == [
        "holding 104", "1500", 3, 1,
    ]  # fmt: skip
    assert [changes["s7comm"][name] for name in ("targets", "before", "after")] == [
        "db 2 4-7", "0x00000000", "0x42f00000",
    ]  # fmt: skip
    assert float(changes["opcua"]["after"]) == float(changes["opcua"]["before"]) + 1
    [total] = bench.path.act("told", worked, "session.worked")
    assert (total["changes"], total["blocks"], total["beyond"], total["refused"]) == (3, 0, 0, 0)
    done = {line["function"]: line["count"] for line in bench.path.act("told", worked, "work.done")}
    assert (done["write-single-register"], done["write-variable"], done["write"]) == (3, 1, 1)
