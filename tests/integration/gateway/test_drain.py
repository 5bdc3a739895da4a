# SPDX-License-Identifier: Apache-2.0
"""Administrative ends: nothing new starts, what runs may finish in its time, both ends are told."""

from portineria.core.ids import Kind, new_id
from portineria.wire.statement import Asset
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import Plant
from tests.integration.gateway.test_orders import refusal
from tests.integration.process import eventually


async def test_a_drain_lets_what_runs_finish_and_nothing_begin(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    plant.authority.withdraw(plant.end.session, "drain", drain_s=30, reason="window ended")
    await plant.authority.event(plant.gateway, "session.draining", seconds=30, reason="window ended")
    await eventually(lambda: stream.notices)
    assert (stream.notices[0].reason, stream.notices[0].seconds_left) == ("window ended", 30)
    assert await refusal(plant.end) == "order.draining"
    await stream.say(b"the last page")
    assert await stream.heard(13) == b"the last page"
    stream.say_end()
    await stream.ended("finished")
    ended = await plant.authority.event(plant.gateway, "session.ended", plant.end.session)
    assert (ended.fields["ending"], ended.fields["to_device"], ended.fields["from_device"]) == ("drained", 13, 13)


async def test_a_drain_has_an_end(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    plant.authority.withdraw(plant.end.session, "drain", drain_s=1)
    assert await stream.ended() == "drained"
    await plant.authority.event(plant.gateway, "session.ended", ending="drained")
    await eventually(lambda: plant.device.connections[0].ended == "reset")


async def test_a_drain_of_nothing_is_over_at_once(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    (await plant.end.open()).hang_up()
    await eventually(lambda: plant.authority.found(plant.gateway, "stream.closed"))
    plant.authority.withdraw(plant.end.session, "drain", drain_s=600)
    await plant.authority.event(plant.gateway, "session.ended", ending="finished")


async def test_an_order_that_expires_drains(plant: Plant) -> None:
    plant.end.permit([plant.asset], expires_ms=plant.authority._unix_ms() + 1_500, drain_s=1)
    stream = await plant.end.open()
    await plant.authority.event(plant.gateway, "session.draining", reason="order.expired")
    assert await refusal(plant.end) == "order.expired"
    await stream.say(b"in the drain")
    await stream.heard(12)
    assert await stream.ended() == "expired"
    await plant.authority.event(plant.gateway, "session.ended", ending="expired")


async def test_an_expired_order_with_nothing_running_ends_then(plant: Plant) -> None:
    plant.end.permit([plant.asset], expires_ms=plant.authority._unix_ms() + 1_000, drain_s=600)
    await plant.authority.event(plant.gateway, "session.ended", ending="expired", streams=0)


async def test_extending_lifts_a_drain(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    withdrawn = plant.authority.withdraw(plant.end.session, "drain", drain_s=2)
    await eventually(lambda: stream.notices)
    plant.end.permit([plant.asset], order_seq=withdrawn.order_seq + 1)
    another = await plant.end.open()
    await plant.authority.event(plant.gateway, "order.accepted", order_seq=withdrawn.order_seq + 1)
    await eventually(lambda: stream.notices[-1].seconds_left is None)
    plant.authority.send(plant.gateway, withdrawn)  # an old letter does not bring the drain back
    await eventually(lambda: "withdrawal.stale" in plant.process.said)
    for one in (stream, another):
        await one.say(b"extended")
        await one.heard(8)


async def test_a_cut_does_not_wait_for_a_drain(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    plant.authority.withdraw(plant.end.session, "drain", drain_s=600)
    await eventually(lambda: stream.notices)
    plant.authority.withdraw(plant.end.session, "cut")
    await stream.ended("cut")
    await plant.authority.event(plant.gateway, "session.ended", ending="cut")


async def test_a_narrower_order_drains_only_what_it_leaves_out(plant: Plant, floor: Floor) -> None:
    second = Device(floor, number=11)
    try:
        left_out = Asset(new_id(Kind.SERVICE), second.address, 502)
        plant.end.permit([plant.asset, left_out])
        kept, ended = await plant.end.open(), await plant.end.open(left_out)
        plant.end.permit([plant.asset], drain_s=1)
        await eventually(lambda: ended.notices and ended.notices[0].reason == "service.not-granted")
        assert await ended.ended() == "drained"
        await kept.say(b"kept")
        await kept.heard(4)
        assert kept.notices == []
    finally:
        second.close()


async def test_stopping_the_gateway_is_recorded_and_ends_streams(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open()
    assert await plant.process.end() == 0
    assert await stream.ended() == "gateway.stopped"
    await plant.process.start()
    stopped = await plant.authority.event(plant.gateway, "stream.closed")
    assert stopped.fields["how"] == "gateway.stopped"
    await plant.authority.event(plant.gateway, "gateway.stopped")
    assert plant.authority.faults == []
