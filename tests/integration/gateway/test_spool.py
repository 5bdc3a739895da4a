# SPDX-License-Identifier: Apache-2.0
"""Events: nothing lost, nothing twice, in order, and forgotten only on a true acknowledgement (WIRE 18, 19)."""

import asyncio
import random
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.dataplane.aio.leg import LegRefused
from portineria.wire.statement import Acknowledgement
from tests.integration.authority import Authority
from tests.integration.end import End, Refused, Stream
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import Plant, asset_of
from tests.integration.gateway.test_orders import refusal
from tests.integration.gateway_process import GatewayProcess
from tests.integration.process import eventually


def spooled(process: GatewayProcess) -> int:
    """Events that the gateway still keeps."""
    path = process.state.spool
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        count: int = db.execute("SELECT count(*) FROM event").fetchone()[0]
    db.close()
    return count


async def test_what_is_acknowledged_is_forgotten_and_nothing_else(plant: Plant) -> None:
    await eventually(lambda: spooled(plant.process) == 0, "the spool is empty")
    plant.authority.acknowledges = False
    plant.end.permit([plant.asset])
    (await plant.end.open()).hang_up()
    await plant.authority.event(plant.gateway, "stream.closed")
    kept = spooled(plant.process)
    assert kept >= 3
    last = plant.authority.events[plant.gateway][-1]
    gateway, epoch, seq, digest = plant.gateway, last.context.epoch, last.context.seq, last.sha256
    authority = plant.authority
    false = [
        authority.signed(Acknowledgement(gateway, epoch, seq, digest), key=Ed25519PrivateKey.generate()),
        authority.signed(Acknowledgement(gateway, epoch, seq, digest), role="order"),
        authority.signed(Acknowledgement(gateway, epoch, seq, bytes(32))),
        authority.signed(Acknowledgement(gateway, bytes(32), seq, digest)),
        authority.signed(Acknowledgement(gateway, epoch, seq + 1000, digest)),
    ]
    authority.deliver(gateway, *(authority.seal(gateway, letter) for letter in false))
    await eventually(lambda: plant.process.said.count("letter.refused") >= 2)
    question = len(authority.gateways[gateway].questions)
    plant.another_end().permit([plant.asset])
    await eventually(lambda: len(authority.gateways[gateway].questions) > question, "it has read them all")
    assert spooled(plant.process) >= kept
    authority.acknowledges = True
    await eventually(lambda: spooled(plant.process) == 0, "a true one empties it")


async def test_events_wait_for_a_control_plane_that_is_away(plant: Plant) -> None:
    """What nobody acknowledged is said again, from the first one on, when there is somebody to hear it."""
    authority = plant.authority
    await eventually(lambda: spooled(plant.process) == 0)
    authority.acknowledges = False
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    await authority.relay.process.kill()
    await eventually(lambda: stream.legs_lost == 1)
    await eventually(lambda: not authority.gateways[plant.gateway].links)
    heard = len(authority.events[plant.gateway])
    device = plant.device.connections[0]
    await device.say(b"meanwhile")
    device.reset()  # the stream ends while nobody can be told
    await eventually(lambda: spooled(plant.process) >= 3)
    authority.acknowledges = True
    await authority.relay.process.start()
    await authority.relay_up(authority.relay.address.relay)
    await authority.event(plant.gateway, "stream.closed")
    await eventually(lambda: spooled(plant.process) == 0)
    assert len(authority.events[plant.gateway]) > heard
    assert authority.faults == []


@pytest.mark.slow
async def test_a_gateway_killed_at_any_moment_loses_no_event(plant: Plant) -> None:
    """Whatever the device has seen is recorded, and the chain has neither gap nor fork."""
    authority, dice = plant.authority, random.Random(7)
    opened: set[str] = set()
    for round_ in range(6):
        end = plant.another_end()
        end.permit([plant.asset])
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(_work(end, opened))
            await asyncio.sleep(dice.uniform(0.3, 1.2))  # at any moment
            await plant.process.kill()
            working.cancel()
        await plant.process.start()
        boots = authority.gateways[plant.gateway].boots
        await eventually(lambda: len(boots) > round_ + 1)  # noqa: B023 - awaited before the round ends
    await eventually(lambda: spooled(plant.process) == 0, "everything arrived")
    assert authority.faults == []
    recorded = {event.fields["stream"] for event in authority.found(plant.gateway, "stream.opened")}
    assert opened <= recorded
    numbers = [stored.context.seq for stored in authority.events[plant.gateway]]
    assert numbers == list(range(1, len(numbers) + 1))


async def _work(end: End, opened: set[str]) -> None:
    while True:
        try:
            stream = await end.open()
            opened.add(stream.name)
            await stream.say(b"work")
            await stream.heard(4)
            stream.hang_up()
        except (OSError, AssertionError, Refused, LegRefused):  # the gateway was killed
            return


async def test_a_spool_that_is_full_begins_nothing_and_loses_nothing(
    authority: Authority, device: Device, floor: Floor, tmp_path: Path
) -> None:
    process = GatewayProcess(authority, tmp_path / "gateway", reach=[f"{floor.network}:502"], spool_limit_bytes=65536)
    authority.admit(process.gateway)
    authority.acknowledges = False
    await process.start()
    try:
        await authority.linked(process.gateway)
        end = End(authority, process.gateway, tmp_path)
        end.permit([asset_of(device)])
        kept = await end.open()
        reason = ""
        async with asyncio.timeout(30):
            while not reason:
                try:
                    (await end.open()).hang_up()
                except Refused as refused:
                    reason = refused.reason
        assert reason == "spool.full"
        await eventually(lambda: kept.notices and kept.notices[-1].reason == "spool.full")
        rival = End(authority, process.gateway, tmp_path)
        rival.permit([asset_of(device)])
        assert await refusal(rival) == "order.unknown"
        await kept.say(b"may finish")
        await kept.heard(10)
        kept.say_end()
        await kept.ended("finished")
        authority.acknowledges = True
        await authority.event(process.gateway, "spool.full")
        await authority.event(process.gateway, "stream.closed", stream=kept.name)
        await eventually(lambda: spooled(process) == 0, "room again")
        again = await served(end, device)
        await again.say(b"room again")
        await again.heard(10)
        assert authority.faults == []
    finally:
        await process.end()


async def served(end: End, device: Device) -> Stream:
    """A stream as soon as the gateway begins work again."""
    async with asyncio.timeout(30):
        while True:
            end.permit([asset_of(device)])
            try:
                return await end.open()
            except Refused:
                await asyncio.sleep(0.1)  # each try is a whole order


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that can be filled without hurting anybody."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "none", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs root to mount a small disk; or: unshare --user --map-root-user --net --mount make test")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


async def test_a_full_disk_refuses_new_work_and_still_records_how_things_end(
    authority: Authority, device: Device, floor: Floor, tmp_path: Path, small_disk: Path
) -> None:
    process = GatewayProcess(authority, small_disk / "gateway", reach=[f"{floor.network}:502"])
    authority.admit(process.gateway)
    await process.start()
    try:
        await authority.linked(process.gateway)
        end = End(authority, process.gateway, tmp_path)
        end.permit([asset_of(device)])
        kept = await end.open()
        authority.acknowledges = False
        filler = small_disk / "filler"
        fill(filler)
        reason = ""
        async with asyncio.timeout(40):
            while not reason:
                fill(filler)
                try:
                    (await end.open()).hang_up()
                except Refused as refused:
                    reason = refused.reason
        assert reason == "spool.full"
        await kept.say(b"still runs")
        await kept.heard(10)
        authority.withdraw(end.session, "cut")
        await kept.ended("cut")
        ended = await authority.event(process.gateway, "session.ended", end.session)
        assert ended.fields["ending"] == "cut"
        filler.unlink()
        authority.acknowledges = True
        fresh = End(authority, process.gateway, tmp_path)

        (await served(fresh, device)).hang_up()
        assert authority.faults == []
    finally:
        await process.end()


async def test_what_was_lost_is_said_again_while_new_events_keep_coming(plant: Plant) -> None:
    plant.authority.acknowledges = False
    plant.end.permit([plant.asset])

    async def work() -> None:
        while True:  # an event every few milliseconds, far more often than acknowledge_s
            (await plant.end.open()).hang_up()

    working = asyncio.ensure_future(work())
    try:
        await eventually(lambda: plant.process.said.count("events.again") > 2, "said again, and again")
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    plant.authority.acknowledges = True
    await eventually(lambda: spooled(plant.process) == 0, "everything is acknowledged")
    assert plant.authority.faults == []


def fill(path: Path) -> None:
    """Take every block that is left."""
    with path.open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return


async def test_a_spool_put_back_from_a_copy_is_seen_as_a_fork(plant: Plant) -> None:
    """The gateway goes on honestly with what it finds; the control plane sees the same numbers with other hashes."""
    authority, place = plant.authority, plant.process.state.directory
    await eventually(lambda: spooled(plant.process) == 0)
    await plant.process.end()
    files = {path: path.read_bytes() for path in place.glob("spool.sqlite3*")}
    await plant.process.start()
    await eventually(lambda: len(authority.gateways[plant.gateway].boots) == 2)
    plant.end.permit([plant.asset])
    (await plant.end.open()).hang_up()
    await authority.event(plant.gateway, "stream.closed")
    await plant.process.end()
    for path in place.glob("spool.sqlite3*"):
        path.unlink()
    for path, content in files.items():
        path.write_bytes(content)
    await plant.process.start()
    await eventually(lambda: any("forked" in fault for fault in authority.faults), "the fork is seen")
