# SPDX-License-Identifier: Apache-2.0
"""What a watched session does, as a real gateway shows it: merged, bounded, and nothing when nobody looks on."""

import time

from portineria.policy.function_profile import OBSERVE
from portineria.wire.report import GLANCE_LINES, Glance
from portineria.wire.statement import Watch
from tests.integration.gateway.conftest import Plant
from tests.integration.gateway.test_functions import READ, WRITE, permit
from tests.integration.process import eventually

MANY = 2_000


def watch(plant: Plant, seconds: float) -> None:
    until_ms = time.time_ns() // 1_000_000 + round(seconds * 1000)
    plant.authority.send(plant.gateway, Watch(plant.gateway, plant.end.session, until_ms))


def glances(plant: Plant) -> list[Glance]:
    return plant.authority.gateways[plant.gateway].glances


async def test_whoever_looks_on_sees_what_is_done_and_nobody_is_shown_what_they_did_not_watch(plant: Plant) -> None:
    permit(plant, OBSERVE)
    stream, heard = await plant.end.open(), 0
    watch(plant, -30)  # a letter that a relay kept back
    watch(plant, 2)
    until = time.monotonic() + 2.5
    while time.monotonic() < until or not glances(plant):
        await stream.say(READ * 3 + WRITE)
        await stream.heard(heard := heard + 3 * 11 + 9)
    seen = len(glances(plant))
    for _ in range(100):  # nobody looks on any more
        await stream.say(READ * 3 + WRITE)
        await stream.heard(heard := heard + 3 * 11 + 9)
    await plant.authority.event(plant.gateway, "operation.refused", plant.end.session)
    assert len(glances(plant)) == seen
    first = glances(plant)[0]
    assert [(line.verdict, line.kind, line.function, line.targets, line.values) for line in first.lines] == [
        ("passed", "read", "read-holding-registers", "holding 104", ""),
        ("refused", "write", "write-single-register", "holding 104", "180"),
    ]
    read, write = first.lines
    assert (read.count, read.answer, read.error, write.answered) == (3 * write.count, "120", "", False)
    assert abs(first.at_ms - time.time() * 1000) < 20_000

    watch(plant, 30)
    while len(glances(plant)) == seen:  # the letter is on its way for a moment
        await stream.say(READ)
        await stream.heard(heard := heard + 11)
    for first_place in range(0, MANY, 200):
        await stream.say(b"".join(distinct(place) for place in range(first_place, first_place + 200)))
        await stream.heard(heard := heard + 200 * 11)
    await eventually(lambda: told(plant, seen) >= MANY, "every operation is told, as a line or in the number")
    assert all(len(glance.lines) <= GLANCE_LINES for glance in glances(plant))
    assert len(glances(plant)) < 20
    assert [glance.part for glance in glances(plant)] == list(range(1, len(glances(plant)) + 1))


def distinct(place: int) -> bytes:
    """A read of one register, another one each time."""
    return READ[:8] + place.to_bytes(2, "big") + READ[10:]


def told(plant: Plant, after: int) -> int:
    """How many operations the glances after so many account for."""
    return sum(glance.beyond + sum(line.count for line in glance.lines) for glance in glances(plant)[after:])
