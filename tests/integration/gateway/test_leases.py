# SPDX-License-Identifier: Apache-2.0
"""Without a fresh lease an order opens nothing, and what runs follows its rule for silence (WIRE 9)."""

import asyncio
import time

from portineria.wire.statement import Leases, SessionLease
from portineria.wire.stream import Notice
from tests.integration.authority import nonce
from tests.integration.gateway.conftest import Plant
from tests.integration.gateway.test_orders import refusal
from tests.integration.process import eventually


async def test_an_order_without_a_lease_opens_nothing(plant: Plant) -> None:
    plant.authority.leases = False
    plant.end.permit([plant.asset])
    assert await refusal(plant.end) == "lease.missing"
    plant.authority.leases = True
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    stream.hang_up()


async def test_a_lease_that_was_not_asked_for_is_worth_nothing(plant: Plant) -> None:
    plant.authority.leases = False
    digest = plant.end.permit([plant.asset])
    await plant.authority.event(plant.gateway, "order.accepted")
    lease = SessionLease(plant.end.session, digest, 30)
    plant.authority.send(plant.gateway, Leases(plant.gateway, nonce(), [lease]))
    await eventually(lambda: "lease.unasked" in plant.process.said)
    assert await refusal(plant.end) == "lease.missing"


async def test_a_lease_for_an_earlier_order_opens_nothing_under_the_newer_one(plant: Plant) -> None:
    first = plant.end.permit([plant.asset])
    stream = await plant.end.open()
    plant.authority.leases = False
    plant.end.permit([plant.asset])
    await plant.authority.event(plant.gateway, "order.accepted", order_seq=2)
    question = plant.authority.gateways[plant.gateway].questions[-1]
    lease = SessionLease(plant.end.session, first, 30)
    plant.authority.send(plant.gateway, Leases(plant.gateway, question.nonce, [lease]))
    assert await refusal(plant.end) == "lease.missing"
    await stream.say(b"what runs goes on")
    await stream.heard(17)


async def test_a_lease_counts_from_when_it_was_asked_for(plant: Plant) -> None:
    """A relay that keeps the answer back gains nothing by it."""
    authority = plant.authority
    authority.leases = False
    digest = plant.end.permit([plant.asset], lease_s=1)
    asked = len(authority.gateways[plant.gateway].questions)
    await eventually(lambda: len(authority.gateways[plant.gateway].questions) > asked)
    question = authority.gateways[plant.gateway].questions[-1]
    lease = Leases(plant.gateway, question.nonce, [SessionLease(plant.end.session, digest, 1)])
    hoarded = authority.seal(plant.gateway, authority.signed(lease))
    await asyncio.sleep(1.1)  # the lease's own time, which is what this is about
    authority.deliver(plant.gateway, hoarded)
    assert await refusal(plant.end) == "lease.missing"


async def test_silence_cuts_where_the_device_wants_it(plant: Plant) -> None:
    plant.end.permit([plant.asset], lease_s=1, on_silence="cut")
    stream = await plant.end.open()
    plant.authority.leases = False
    silent_since = time.monotonic()
    assert await stream.ended() == "silence"
    assert time.monotonic() - silent_since < 15
    ended = await plant.authority.event(plant.gateway, "session.ended", plant.end.session)
    assert (ended.fields["ending"], ended.fields["streams"]) == ("silence", 1)
    assert len(plant.authority.found(plant.gateway, "lease.lost")) == 1
    await eventually(lambda: plant.device.connections[0].ended == "reset")


async def test_silence_drains_by_default_and_a_new_lease_ends_the_drain(plant: Plant) -> None:
    plant.end.permit([plant.asset], lease_s=1, drain_s=30)
    stream = await plant.end.open()
    plant.authority.leases = False
    await plant.authority.event(plant.gateway, "session.draining", reason="lease.lost", seconds=30)
    await eventually(lambda: stream.notices and stream.notices[-1].reason == "lease.lost")
    assert await refusal(plant.end) == "lease.missing"
    await stream.say(b"may finish")
    await stream.heard(10)
    plant.authority.leases = True
    plant.end.permit([plant.asset], lease_s=1, drain_s=30)  # makes the gateway ask at once
    again = await plant.end.open()
    await again.say(b"open again")
    await again.heard(10)
    assert stream.over is None
    await plant.authority.event(plant.gateway, "session.resumed", plant.end.session, reason="lease.lost")
    await eventually(lambda: stream.notices[-1] == Notice("lease.lost", None))


async def test_a_drain_by_silence_has_an_end(plant: Plant) -> None:
    plant.end.permit([plant.asset], lease_s=1, drain_s=1)
    stream = await plant.end.open()
    plant.authority.leases = False
    assert await stream.ended() == "silence"
    await plant.authority.event(plant.gateway, "session.ended", ending="silence")


async def test_until_expiry_runs_on_in_silence_but_begins_nothing(plant: Plant) -> None:
    expires = plant.authority._unix_ms() + 4_000
    plant.end.permit([plant.asset], lease_s=1, on_silence="until_expiry", expires_ms=expires, drain_s=0)
    stream = await plant.end.open()
    plant.authority.leases = False
    await plant.authority.event(plant.gateway, "lease.lost", on_silence="until_expiry")
    assert await refusal(plant.end) == "lease.missing"
    await stream.say(b"runs on")
    await stream.heard(7)
    assert await stream.ended() == "expired"


async def test_a_session_that_is_no_longer_permitted_gets_no_lease(plant: Plant) -> None:
    plant.end.permit([plant.asset], lease_s=1, on_silence="cut")
    other = plant.another_end()
    other.permit([plant.asset], lease_s=1, on_silence="cut")
    ended, kept = await plant.end.open(), await other.open()
    plant.authority.sessions[plant.end.session].permitted = False
    assert await ended.ended() == "silence"
    await kept.say(b"kept")
    await kept.heard(4)


async def test_an_order_waits_a_little_for_its_first_lease(plant: Plant) -> None:
    """The connector hears of the session before the gateway has its lease: its first leg must not fail for that."""
    authority = plant.authority
    authority.leases = False
    digest = plant.end.permit([plant.asset])
    leg = await plant.end.dial()
    async with asyncio.TaskGroup() as tasks:
        opening = tasks.create_task(plant.end.open(leg=leg))
        await authority.event(plant.gateway, "order.accepted")
        known = authority.gateways[plant.gateway]
        await eventually(lambda: plant.end.session in known.questions[-1].sessions)
        lease = SessionLease(plant.end.session, digest, 30)
        authority.send(plant.gateway, Leases(plant.gateway, known.questions[-1].nonce, [lease]))
    opening.result().hang_up()


async def test_the_question_for_a_lease_also_says_what_running_streams_have_carried(plant: Plant) -> None:
    plant.end.permit([plant.asset], lease_s=1)
    stream = await plant.end.open()
    await stream.say(b"seven b")
    await stream.heard(7)
    questions = plant.authority.gateways[plant.gateway].questions

    def told() -> set[tuple[str, int, int]]:
        return {(one.session, one.to_device, one.from_device) for asked in questions for one in asked.traffic}

    await eventually(lambda: (plant.end.session, 7, 7) in told())
    first = next(at for at, asked in enumerate(questions) if asked.traffic)
    # Not with every question: leases of one second are asked for three times in it.
    await eventually(lambda: any(not asked.traffic for asked in questions[first:]))
    assert plant.authority.found(plant.gateway, "stream.closed") == []
    stream.hang_up()
