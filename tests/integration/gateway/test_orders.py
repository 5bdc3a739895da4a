# SPDX-License-Identifier: Apache-2.0
"""Which orders a gateway obeys (WIRE 2, 7, 8): every other one opens nothing."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.core.ids import Kind, new_id
from portineria.wire.envelope import sign
from portineria.wire.statement import Asset, Leases, SessionLease, Withdrawal
from portineria.wire.stream import Refuse
from tests.integration.authority import nonce
from tests.integration.end import End, Refused
from tests.integration.gateway.conftest import Plant
from tests.integration.process import eventually


async def refusal(end: End, **how: object) -> str:
    """The code with which the gateway refuses a stream."""
    with pytest.raises(Refused) as refused:
        await end.open(**how)  # type: ignore[arg-type]
    return refused.value.reason


async def test_without_an_order_a_leg_opens_nothing(plant: Plant) -> None:
    assert await refusal(plant.end) == "order.unknown"
    assert plant.device.connections == []


@pytest.mark.parametrize(
    "fault", ["altered", "acknowledgement key", "stranger's key", "other signer's name", "unsealed"]
)
async def test_an_order_that_the_order_signer_did_not_sign_is_not_obeyed(plant: Plant, fault: str) -> None:
    authority, end = plant.authority, plant.end
    order = authority.order(plant.gateway, end.session, end.key_sha256, end.assets)
    if fault == "acknowledgement key":
        named = msgspec.structs.replace(order, signer_id=authority.signer_ids["acknowledgement"])
        sealed = authority.seal(plant.gateway, authority.signed(named, role="acknowledgement"))
    elif fault == "stranger's key":
        sealed = authority.seal(plant.gateway, authority.signed(order, key=Ed25519PrivateKey.generate()))
    elif fault == "other signer's name":
        named = msgspec.structs.replace(order, signer_id=authority.signer_ids["ticket"])
        sealed = authority.seal(plant.gateway, authority.signed(named))
    else:
        sealed = authority.seal(plant.gateway, authority.signed(order))
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1]) if fault == "altered" else authority.signed(order)
    authority.deliver(plant.gateway, sealed)
    await eventually(lambda: "letter.refused" in plant.process.said, "the gateway refuses the letter")
    assert await refusal(end) == "order.unknown"
    assert authority.found(plant.gateway, "order.accepted") == []


async def test_a_letter_of_another_type_signed_as_an_order_is_not_obeyed(plant: Plant) -> None:
    authority, end = plant.authority, plant.end
    order = authority.order(plant.gateway, end.session, end.key_sha256, end.assets)
    signer = authority.signer_ids["order"]
    statement = msgspec.msgpack.encode(order)
    key = authority.signer_keys["order"]
    signed = sign(key, kind="portineria.time", version=1, signer=signer, statement=statement)
    authority.deliver(plant.gateway, authority.seal(plant.gateway, signed))
    await eventually(lambda: "letter.refused" in plant.process.said)
    assert await refusal(end) == "order.unknown"


@pytest.mark.parametrize("field", ["gateway", "organisation"])
async def test_an_order_for_somebody_else_is_not_obeyed(plant: Plant, field: str) -> None:
    kind = Kind.GATEWAY if field == "gateway" else Kind.ORGANISATION
    end, authority = plant.end, plant.authority
    order = authority.order(plant.gateway, end.session, end.key_sha256, end.assets)
    order = msgspec.structs.replace(order, **{field: new_id(kind)})
    authority.deliver(plant.gateway, authority.seal(plant.gateway, authority.signed(order)))
    await eventually(lambda: "letter.wrong" in plant.process.said)
    assert await refusal(end) == "order.unknown"


@pytest.mark.parametrize(("begins_h", "ends_h"), [(-2, -1), (2, 1)], ids=["over", "ends before it begins"])
async def test_an_expired_order_is_refused_and_reported(plant: Plant, begins_h: int, ends_h: int) -> None:
    now = plant.authority._unix_ms()
    plant.end.permit([plant.asset], not_before_ms=now + begins_h * 3_600_000, expires_ms=now + ends_h * 3_600_000)
    await plant.authority.event(plant.gateway, "order.refused", plant.end.session, reason="order.expired")
    assert await refusal(plant.end) == "order.unknown"


async def test_an_order_for_later_opens_nothing_yet(plant: Plant) -> None:
    plant.end.permit([plant.asset], not_before_ms=plant.authority._unix_ms() + 1_500)
    assert await refusal(plant.end) == "order.not-yet"
    await eventually(
        lambda: plant.authority._unix_ms() > plant.authority.sessions[plant.end.session].order.not_before_ms
    )
    stream = await plant.end.open()
    stream.hang_up()


async def test_an_older_order_does_not_come_back(plant: Plant) -> None:
    authority, end = plant.authority, plant.end
    first = authority.order(plant.gateway, end.session, end.key_sha256, end.assets)
    end.permit(end.assets)
    hoarded = authority.seal(plant.gateway, authority.signed(first))
    end.permit([Asset(new_id(Kind.SERVICE), plant.device.address, 503)])
    await authority.event(plant.gateway, "order.accepted", end.session, order_seq=2)
    authority.deliver(plant.gateway, hoarded)
    await authority.event(plant.gateway, "order.refused", end.session, reason="order.replayed")


async def test_an_older_order_does_not_come_back_after_a_power_cut_either(plant: Plant) -> None:
    authority, end = plant.authority, plant.end
    first = authority.order(plant.gateway, end.session, end.key_sha256, end.assets)
    authority.permit(first)
    hoarded = authority.seal(plant.gateway, authority.signed(first))
    end.permit(end.assets)
    await authority.event(plant.gateway, "order.accepted", end.session, order_seq=2)
    await plant.process.kill()
    await plant.process.start()
    await eventually(lambda: len(authority.gateways[plant.gateway].boots) == 2)
    authority.deliver(plant.gateway, hoarded)
    await authority.event(plant.gateway, "order.refused", end.session, reason="order.replayed")


async def test_two_orders_with_the_same_number_are_not_both_obeyed(plant: Plant) -> None:
    authority, end = plant.authority, plant.end
    end.permit(end.assets)
    await authority.event(plant.gateway, "order.accepted", end.session)
    forked = authority.order(plant.gateway, end.session, end.key_sha256, end.assets, order_seq=1, max_legs=1000)
    authority.deliver(plant.gateway, authority.seal(plant.gateway, authority.signed(forked)))
    await authority.event(plant.gateway, "order.refused", end.session, reason="order.forked")


async def test_a_withdrawn_order_does_not_come_back_even_after_a_restart(plant: Plant) -> None:
    authority, end = plant.authority, plant.end
    order = authority.order(plant.gateway, end.session, end.key_sha256, end.assets)
    authority.permit(order)
    end.order_sha256 = authority.sessions[end.session].order_sha256
    stream = await end.open()
    authority.withdraw(end.session, "cut")
    await stream.ended("cut")
    await authority.event(plant.gateway, "session.ended", end.session, ending="cut")
    hoarded = authority.seal(plant.gateway, authority.signed(order))
    authority.deliver(plant.gateway, hoarded)
    await authority.event(plant.gateway, "order.refused", end.session, reason="order.ended")
    await plant.process.kill()
    await authority.unlinked(plant.gateway)
    await plant.process.start()
    await authority.linked(plant.gateway)
    authority.sessions[end.session].permitted = True  # even a control plane that leases it again
    authority.deliver(plant.gateway, hoarded)
    await eventually(lambda: len(authority.found(plant.gateway, "order.refused", reason="order.ended")) == 2)
    assert await refusal(end) == "order.unknown"
    assert len(authority.found(plant.gateway, "session.ended", end.session)) == 1


async def test_a_withdrawal_that_overtakes_its_order_wins(plant: Plant) -> None:
    authority, end = plant.authority, plant.end
    authority.send(plant.gateway, Withdrawal(plant.gateway, end.session, 2, "cut", 0, "test"))
    ended = await authority.event(plant.gateway, "session.ended", end.session, ending="cut")
    assert ended.fields["streams"] == 0
    end.permit(end.assets)
    await authority.event(plant.gateway, "order.refused", end.session, reason="order.ended")
    assert await refusal(end) == "order.unknown"


async def test_a_withdrawal_of_an_earlier_order_ends_nothing(plant: Plant) -> None:
    """A relay kept it back until a newer order had superseded it."""
    for number in (1, 2, 3):
        plant.end.permit([plant.asset])
        await plant.authority.event(plant.gateway, "order.accepted", plant.end.session, order_seq=number)
    stream = await plant.end.open()
    plant.authority.send(plant.gateway, Withdrawal(plant.gateway, plant.end.session, 2, "cut", 0, "test"))
    await eventually(lambda: "withdrawal.stale" in plant.process.said or stream.over)
    await stream.say(b"goes on")
    assert await stream.heard(7) == b"goes on"
    assert plant.authority.found(plant.gateway, "session.ended") == []


async def test_a_letter_of_no_size_that_anybody_sends_is_not_read(plant: Plant) -> None:
    leases = [SessionLease(new_id(Kind.SESSION), bytes(32), 30) for _ in range(2048)]
    plant.authority.send(plant.gateway, Leases(plant.gateway, nonce(), leases))  # by the right signer, 180 KiB
    await eventually(lambda: "letter.wrong" in plant.process.said or "lease.unasked" in plant.process.said)
    assert "lease.unasked" not in plant.process.said


async def test_the_same_order_said_twice_is_obeyed_once(plant: Plant) -> None:
    authority, end = plant.authority, plant.end
    order = authority.order(plant.gateway, end.session, end.key_sha256, end.assets)
    end.order_sha256 = authority.permit(order)
    authority.deliver(plant.gateway, authority.seal(plant.gateway, authority.signed(order)))
    stream = await end.open()
    await stream.say(b"still here")
    await stream.heard(10)
    assert len(authority.found(plant.gateway, "order.accepted", end.session)) == 1
    assert authority.found(plant.gateway, "order.refused") == []


async def test_after_a_power_cut_the_same_order_serves_again(plant: Plant) -> None:
    authority, end = plant.authority, plant.end
    order = authority.order(plant.gateway, end.session, end.key_sha256, end.assets)
    end.order_sha256 = authority.permit(order)
    before = await end.open()
    await plant.process.kill()
    await eventually(lambda: before.legs_lost == 1, "the leg of the killed gateway is lost")
    await eventually(lambda: plant.device.connections[0].ended == "reset")
    await plant.process.start()
    await eventually(lambda: len(authority.gateways[plant.gateway].boots) == 2)
    lost = await authority.event(plant.gateway, "stream.closed", end.session)
    assert lost.fields == {"stream": before.name, "how": "gateway.restarted"}
    with pytest.raises(Refused):
        await end.resume(before)
    authority.deliver(plant.gateway, authority.seal(plant.gateway, authority.signed(order)))
    after = await end.open()
    await after.say(b"again")
    assert await after.heard(5) == b"again"
    assert authority.faults == []


async def test_the_key_of_another_session_opens_nothing_here(plant: Plant) -> None:
    """The rival has a live session of his own and the technician's order hash."""
    rival = plant.another_end()
    rival.permit([Asset(new_id(Kind.SERVICE), plant.device.address, 503)])
    plant.end.permit([plant.asset])
    assert await refusal(rival, asset=plant.asset, order_sha256=plant.end.order_sha256) == "order.stale"
    assert await refusal(rival, asset=plant.asset) == "service.not-granted"
    assert plant.device.connections == []


async def test_a_key_serves_one_session_at_a_time(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    await plant.authority.event(plant.gateway, "order.accepted", plant.end.session)
    second = plant.authority.order(plant.gateway, new_id(Kind.SESSION), plant.end.key_sha256, [plant.asset])
    plant.authority.permit(second)
    await plant.authority.event(plant.gateway, "order.refused", second.session, reason="order.key-used")


async def test_an_order_names_the_very_port(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    elsewhere = Asset(plant.asset.service, plant.asset.address, plant.asset.port + 1)
    assert await refusal(plant.end, asset=elsewhere) == "service.not-granted"
    refused = await plant.authority.event(plant.gateway, "stream.refused", plant.end.session)
    assert refused.fields["reason"] == "service.not-granted"
    assert refused.fields["port"] == plant.asset.port + 1


async def test_more_streams_than_ordered_are_refused(plant: Plant) -> None:
    plant.end.permit([plant.asset], max_legs=2)
    kept = [await plant.end.open() for _ in range(2)]
    assert await refusal(plant.end) == "streams.full"
    kept[0].hang_up()
    await eventually(lambda: plant.authority.found(plant.gateway, "stream.closed"))
    await plant.end.open()


async def test_a_ready_leg_may_wait_as_long_as_its_session(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    leg = await plant.end.dial()
    (await plant.end.open()).hang_up()
    await eventually(lambda: plant.authority.found(plant.gateway, "stream.closed"))
    stream = await plant.end.open(leg=leg)
    await stream.say(b"ready")
    assert await stream.heard(5) == b"ready"
    waiting = await plant.end.dial()
    plant.authority.withdraw(plant.end.session)
    await eventually(lambda: waiting.channel.closed, "a waiting leg ends with its session")


async def test_not_more_legs_wait_than_the_order_allows(plant: Plant) -> None:
    plant.end.permit([plant.asset], max_legs=2)
    legs = [await plant.end.dial() for _ in range(3)]
    await eventually(lambda: any(leg.channel.closed for leg in legs), "one of them is turned away")
    [turned] = [leg for leg in legs if leg.channel.closed]
    assert await turned.answer() == Refuse("streams.full")
    legs.remove(turned)
    for leg in legs:
        await plant.end.open(leg=leg)


@pytest.mark.parametrize("alpn", ["h2", ""], ids=["another", "none"])
async def test_a_leg_that_speaks_another_protocol_inside_is_refused(plant: Plant, alpn: str) -> None:
    plant.end.permit([plant.asset])
    with pytest.raises(ConnectionError):
        await plant.end.open(leg=await plant.end.dial(alpn=alpn))
    await eventually(lambda: "leg.refused" in plant.process.said)
    assert plant.device.connections == []


async def test_a_stream_is_resumed_under_an_order_of_its_own_session_only(plant: Plant) -> None:
    own = plant.end.permit([plant.asset])
    stream = await plant.end.open()
    assert stream.leg is not None
    stream.leg.abort()
    stream.order_sha256 = bytes(32)
    with pytest.raises(Refused):
        await plant.end.resume(stream)
    stream.order_sha256 = own
    await plant.end.resume(stream)
    await stream.say(b"goes on")
    assert await stream.heard(7) == b"goes on"


async def test_refused_streams_do_not_flood_the_ledger(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    elsewhere = Asset(plant.asset.service, plant.asset.address, 9)
    for _ in range(70):
        assert await refusal(plant.end, asset=elsewhere) == "service.not-granted"
    await plant.authority.event(plant.gateway, "stream.refused", plant.end.session)
    authority = plant.authority
    authority.withdraw(plant.end.session)
    await authority.event(plant.gateway, "session.ended")
    assert len(authority.found(plant.gateway, "stream.refused")) == 60
