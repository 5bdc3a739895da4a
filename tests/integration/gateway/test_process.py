# SPDX-License-Identifier: Apache-2.0
"""The process: what it does not open, whom it obeys when it starts, and how it takes being killed and frozen."""

import asyncio
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from portineria.dataplane.gateway.status import Status, read_status
from portineria.dataplane.gateway.unit import TEMPLATE, unit
from tests.integration.floor import Floor
from tests.integration.gateway.conftest import Plant
from tests.integration.gateway.test_orders import refusal
from tests.integration.gateway_process import GatewayProcess
from tests.integration.process import Process, eventually

_LISTEN, _UNCONNECTED = "0A", "07"  # net/tcp_states.h


def sockets_of(pid: int) -> set[str]:
    """Inodes of the process's sockets."""
    found = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(path.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def listening(pid: int) -> list[str]:
    """Every way in that the process holds open: TCP, UDP and Unix sockets."""
    own, found = sockets_of(pid), []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[9] in own and columns[3] in (_LISTEN, _UNCONNECTED):
                found.append(f"{table} {columns[1]}")
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[6] in own and int(columns[3], 16) & 0x10000:  # SO_ACCEPTCON
            found.append(f"unix {columns[-1]}")
    return found


async def test_a_gateway_listens_on_no_network_and_to_its_own_machine_alone(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    await stream.say(b"busy")
    await stream.heard(4)
    [door] = listening(plant.process.pid)
    assert (door.split()[0], Path(door.split()[-1]).name) == ("unix", plant.process.state.door.name)
    assert plant.process.state.door.stat().st_mode & 0o777 == 0o600
    assert listening(plant.authority.relay.process.pid) != [], "the same look finds the relay's door"


async def test_two_processes_do_not_share_a_state(plant: Plant, tmp_path: Path) -> None:
    second = Process(
        ["-m", "portineria.dataplane.gateway", str(plant.process.state.directory)], tmp_path / "second.log"
    )
    await second.start()
    await eventually(lambda: not second.running)
    assert await second.end() == 1
    assert "gateway.running" in second.said
    assert plant.process.running


async def test_a_gateway_that_is_not_admitted_gets_no_link_until_it_is(plant: Plant) -> None:
    authority = plant.authority
    authority.admit()
    await eventually(lambda: not authority.gateways[plant.gateway].links, "the revoked gateway's link is closed")
    await eventually(lambda: "link.not-admitted" in plant.process.said)
    authority.admit(plant.gateway)
    await authority.linked(plant.gateway)


async def test_the_status_file_says_what_is_going_on(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()

    def status() -> Status | None:
        return read_status(plant.process.state.status)

    await eventually(lambda: (said := status()) and any(session.streams for session in said.sessions))
    said = status()
    assert said is not None
    assert said.gateway == plant.gateway
    assert said.admission == "admitted"
    assert said.time
    assert [link.relay for link in said.links] == [plant.authority.relay.address.relay]
    assert [(session.session, session.streams, session.state) for session in said.sessions] == [
        (plant.end.session, 1, "open")
    ]
    assert plant.process.state.status.stat().st_mode & 0o77 == 0
    stream.hang_up()


async def test_keys_and_spool_are_for_their_owner_only(plant: Plant) -> None:
    directory = plant.process.state.directory
    assert directory.stat().st_mode & 0o77 == 0
    for path in (*directory.glob("keys/*"), directory / "spool.sqlite3", directory / "trust.msgpack"):
        assert path.stat().st_mode & 0o77 == 0, path


async def test_a_frozen_gateway_goes_on_where_it_stopped(plant: Plant) -> None:
    plant.end.permit([plant.asset], lease_s=60)
    stream = await plant.end.open()
    plant.process.freeze()
    await stream.say(b"z" * 500_000)
    assert len(stream.tool.heard) == 0
    plant.process.thaw()
    await stream.heard(500_000)
    assert plant.authority.faults == []


async def test_links_come_back_by_themselves(plant: Plant) -> None:
    relay = plant.authority.relay
    await plant.authority.restart_relay(relay.address.relay)
    await plant.authority.linked(plant.gateway)
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    await stream.say(b"back")
    assert await stream.heard(4) == b"back"


async def test_a_relay_that_falls_silent_is_given_up(plant: Plant, tmp_path: Path, floor: Floor) -> None:
    """A black hole: the connection stays open and nobody answers."""
    authority = plant.authority
    relay = authority.relay
    await relay.process.end()
    quick = relay.settings.__class__(
        **{name: getattr(relay.settings, name) for name in relay.settings.__struct_fields__}
        | {"busy_heartbeat_s": 0.2, "idle_heartbeat_s": 0.2}
    )
    from portineria.process.settings import write_settings

    write_settings(tmp_path / relay.address.relay / "relay.toml", quick)
    await relay.process.start()
    await authority.relay_up(relay.address.relay)
    await authority.linked(plant.gateway)
    relay.process.freeze()
    await eventually(lambda: "link.silent" in plant.process.said, "the gateway gives the link up")
    relay.process.thaw()
    await eventually(lambda: plant.process.said.count("link.opened") >= 3)


async def test_an_enrolled_state_with_a_strange_root_does_not_start(plant: Plant, tmp_path: Path) -> None:
    """Somebody exchanged what was pinned."""
    await plant.process.end()
    state = plant.process.state
    pinned = state.load_pinned()
    state.save_pinned(pinned.__class__(bytes(32), pinned.trust, pinned.enrolled_at))
    await plant.process.start()
    await eventually(lambda: not plant.process.running)
    assert "wire.certificate" in plant.process.said


async def test_a_stranger_with_no_order_costs_a_leg_and_nothing_else(plant: Plant) -> None:
    for _ in range(3):
        assert await refusal(plant.another_end(), asset=plant.asset) == "order.unknown"
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    await stream.say(b"fine")
    await stream.heard(4)


async def test_a_session_serves_at_most_its_gateways_streams(plant: Plant, tmp_path: Path, floor: Floor) -> None:
    process = GatewayProcess(plant.authority, tmp_path / "small", reach=[f"{floor.network}:502"], streams=1)
    plant.authority.admit(plant.gateway, process.gateway)
    await process.start()
    try:
        await plant.authority.linked(process.gateway)
        end = plant.another_end()
        end.gateway = process.gateway
        end.permit([plant.asset])
        await end.open()
        assert await refusal(end) == "streams.full"
    finally:
        await process.end()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="apt-get install systemd")
@pytest.mark.parametrize("folder", ["bin", "an odd place 50%p"])
def test_the_systemd_unit_is_well_formed_and_hardened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr("portineria.dataplane.gateway.unit._HIDDEN", ())  # temporary places are hidden from it
    program = tmp_path / folder / "portineria"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    written = tmp_path / TEMPLATE.name
    written.write_text(unit(program))
    verified = subprocess.run(["systemd-analyze", "verify", written], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stderr
    assert written.name not in verified.stderr, verified.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_gateway_ends_in_order_though_its_relay_is_frozen(plant: Plant, number: signal.Signals) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    await stream.say(b"busy")
    await stream.heard(4)
    relay = plant.authority.relay.process
    relay.freeze()
    assert await plant.process.end(number) == 0
    await eventually(lambda: plant.device.connections[0].ended == "reset")
    relay.thaw()
    await plant.process.start()
    await plant.authority.event(plant.gateway, "gateway.stopped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_relay_ends_in_order_though_its_gateway_is_frozen(plant: Plant, number: signal.Signals) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    plant.process.freeze()
    filling = asyncio.ensure_future(stream.say(bytes(8 << 20)))
    await eventually(lambda: stream.tool.paused, "nobody takes any more")
    assert await plant.authority.relay.process.end(number) == 0
    plant.process.thaw()
    await eventually(lambda: stream.legs_lost == 1)
    filling.cancel()
    await asyncio.gather(filling, return_exceptions=True)
