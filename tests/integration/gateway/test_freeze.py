# SPDX-License-Identifier: Apache-2.0
"""A session that stands still: nothing reaches the device, nothing is lost, nothing ends; until a letter says so."""

import asyncio
import time
from functools import partial

from pyrage import x25519

from portineria.policy.function_profile import OBSERVE, operate
from portineria.policy.profile_text import parse_clause
from portineria.wire.statement import Freeze
from tests.integration.floor import DeviceConnection
from tests.integration.gateway.conftest import Plant
from tests.integration.gateway.test_functions import READ, READ_ANSWER, WRITE, heard, permit
from tests.integration.process import eventually

RECIPIENT = str(x25519.Identity.generate().to_public())


async def freeze(plant: Plant, number: int, *, stands: bool = True, session: str = "") -> int:
    """Return how many ms after its arrival it stood, by the gateway's signed word."""
    name = session or plant.end.session
    plant.authority.send(plant.gateway, Freeze(plant.gateway, name, number, stands))
    code = "session.frozen" if stands else "session.unfrozen"

    receipt = await plant.authority.event(plant.gateway, code, name, number=number)
    return int(receipt.fields["latency_ms"])


async def test_a_frozen_request_arrives_after_the_thaw_once_and_decided_by_what_holds_then(plant: Plant) -> None:
    permit(plant, OBSERVE)
    stream = await plant.end.open()
    await stream.say(READ)
    await stream.heard(11)
    asked = time.monotonic()
    assert await freeze(plant, 1) < 2_000
    assert time.monotonic() - asked < 10
    before = heard(plant)
    await stream.say(READ + WRITE)
    plant.authority.send(plant.gateway, Freeze(plant.gateway, plant.end.session, 1, False))  # of no newer number
    other = await plant.end.open()  # connected, and as still
    await other.say(READ)
    permit(plant, operate("setpoint", [parse_clause("write on holding 104")]))
    await plant.authority.event(plant.gateway, "order.accepted", plant.end.session, order_seq=2)
    await asyncio.sleep(1.0)  # nothing is to happen, so there is nothing to wait for
    assert (heard(plant), bytes(stream.tool.heard[11:]), bytes(other.tool.heard)) == (before, b"", b"")

    other.say_end()  # whoever closes wants no answer: what waited is not sent
    await other.ended("frozen.closed")
    await freeze(plant, 2, stands=False)
    assert (await stream.heard(34))[11:] == READ_ANSWER + WRITE
    assert heard(plant) == before + READ + WRITE


def arrived(connection: DeviceConnection, count: int) -> bool:
    return len(connection.heard) == count


async def test_bytes_that_nobody_inspects_stand_still_as_well_recorded_or_not(plant: Plant) -> None:
    for number, fields in enumerate(({}, {"recording": "full", "recording_recipients": [RECIPIENT]})):
        plant.device.answer = lambda _: b""
        end = plant.another_end()
        end.assets = plant.end.assets
        end.permit(end.assets, **fields)
        stream = await end.open()
        await stream.say(b"before")
        connection = plant.device.connections[-1]
        await eventually(partial(arrived, connection, 6), "it arrives")
        await freeze(plant, 1, session=end.session)
        await stream.say(b"x" * 300_000)
        await asyncio.sleep(0.5)
        assert bytes(connection.heard) == b"before", number
        await freeze(plant, 2, stands=False, session=end.session)
        await eventually(partial(arrived, connection, 300_006), "nothing was lost")
        plant.authority.withdraw(end.session, "cut")
        await stream.ended("cut")


async def test_a_killed_gateway_comes_back_frozen_and_a_cut_ends_it_all_the_same(plant: Plant) -> None:
    permit(plant, OBSERVE)
    stream = await plant.end.open()
    await freeze(plant, 3)
    await plant.process.kill()
    await plant.authority.unlinked(plant.gateway)
    await plant.process.start()
    await plant.authority.linked(plant.gateway)
    permit(plant, OBSERVE)
    again = await plant.end.open()
    await again.say(READ)
    found = plant.authority.found
    await eventually(
        lambda: len(found(plant.gateway, "session.frozen", plant.end.session)) == 2, "told again by the new process"
    )
    assert heard(plant) == b""
    plant.authority.withdraw(plant.end.session, "cut")
    await again.ended("cut")
    assert heard(plant) == b""
    assert stream.over != "finished"
