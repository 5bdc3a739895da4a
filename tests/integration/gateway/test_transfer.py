# SPDX-License-Identifier: Apache-2.0
"""While a program is written, what can wait waits: a freeze within the drain time; a cut never."""

import asyncio
import time

from portineria.policy.function_profile import ENGINEER
from portineria.wire.statement import Freeze
from tests.integration.gateway.conftest import Plant
from tests.integration.gateway.test_functions import heard, permit

BEGIN = bytes.fromhex("000100000006 ff 5a 00 30 0000")  # UMAS: a program is going to be written
STOP = bytes.fromhex("000200000006 ff 5a 00 41 0000")


def umas(data: bytes) -> bytes:
    """What a controller says to whole requests of 12 bytes: done."""
    return b"".join(data[at : at + 4] + bytes.fromhex("0004 ff 5a 00 fe") for at in range(0, len(data), 12))


def freeze(plant: Plant, number: int, *, stands: bool) -> None:
    plant.authority.send(plant.gateway, Freeze(plant.gateway, plant.end.session, number, stands))


async def test_a_freeze_waits_for_the_end_of_a_program_and_a_thaw_and_a_cut_do_not(plant: Plant) -> None:
    permit(plant, ENGINEER)
    plant.device.answer = umas
    event = plant.authority.event
    stream = await plant.end.open()
    await stream.say(STOP)  # begins none
    await stream.say(BEGIN)
    began = await event(plant.gateway, "session.transferring", plant.end.session)
    assert began.fields == {"operation": "program-write"}
    freeze(plant, 1, stands=True)
    freeze(plant, 2, stands=False)  # takes its place, at once
    thawed = await event(plant.gateway, "session.unfrozen", plant.end.session, number=2)
    assert int(thawed.fields["latency_ms"]) < 2_000
    freeze(plant, 3, stands=True)
    asked = time.monotonic()
    await asyncio.sleep(0.5)  # nothing is to happen, so there is nothing to wait for
    assert not plant.authority.found(plant.gateway, "session.frozen", plant.end.session)
    before = len(heard(plant))
    await stream.say(STOP)  # of the transfer that runs: it goes on
    frozen = await event(plant.gateway, "session.frozen", plant.end.session, number=3)
    assert time.monotonic() - asked > 1.9
    assert int(frozen.fields["latency_ms"]) > 1_900
    assert len(heard(plant)) == before + len(STOP)
    await event(plant.gateway, "session.transferred", plant.end.session)

    freeze(plant, 4, stands=False)
    await event(plant.gateway, "session.unfrozen", plant.end.session, number=4)
    await stream.say(BEGIN)
    plant.authority.withdraw(plant.end.session, "cut")
    receipt = await event(plant.gateway, "session.ended", plant.end.session, ending="cut")
    assert int(receipt.fields["latency_ms"]) < 2_000


async def test_a_drain_lets_a_program_go_on_over_further_connections_until_its_end(plant: Plant) -> None:
    permit(plant, ENGINEER)
    plant.device.answer = umas
    event = plant.authority.event
    stream = await plant.end.open()
    await stream.say(BEGIN)
    await event(plant.gateway, "session.transferring", plant.end.session)
    plant.authority.withdraw(plant.end.session, "drain", drain_s=30)
    await event(plant.gateway, "session.draining", plant.end.session)
    stream.say_end()
    await stream.ended("finished")
    another = await plant.end.open()  # between the two nothing ran
    await another.say(STOP)
    await another.heard(10)
    another.say_end()
    await event(plant.gateway, "session.transferred", plant.end.session)
    ended = await event(plant.gateway, "session.ended", plant.end.session)
    assert (ended.fields["ending"], ended.fields["streams"]) == ("drained", 2)
