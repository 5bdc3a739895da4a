# SPDX-License-Identifier: Apache-2.0
"""A stolen relay and the letters: it may delay, repeat, drop and invent; nothing opens by it and nothing is lost."""

import asyncio
import os
import secrets
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.bus.message import FromGateway
from portineria.core.ids import Kind, new_id
from portineria.wire.leg import FROM_RELAY, Letters
from portineria.wire.statement import Acknowledgement, Asset, Leases, SessionLease, Time
from tests.integration.end import End, Refused
from tests.integration.floor import Device, Floor
from tests.integration.hostile import HostileLink
from tests.integration.process import eventually
from tests.integration.relay.conftest import Stolen, stolen_relay

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refusal(stolen: Stolen, end: End) -> str:
    with pytest.raises(Refused) as caught:
        await stolen.open(end)
    return caught.value.reason


async def works(stolen: Stolen) -> None:
    stream = await stolen.open(stolen.end())
    await stream.say(b"alive")
    assert await stream.heard(5) == b"alive"
    stream.hang_up()


# -- delay -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_silence", ["cut", "drain", "until_expiry"])
async def test_kept_leases_end_a_session_as_its_device_wants_it(stolen: Stolen, on_silence: str) -> None:
    end = stolen.end(lease_s=1, drain_s=3, on_silence=on_silence)
    stream = await stolen.open(end)
    await stream.say(b"before")
    await stream.heard(6)
    loop = asyncio.get_running_loop()
    stolen.relay.holds = True
    silent_since, kept_from = loop.time(), len(stolen.relay.letters)
    try:
        await eventually(lambda: loop.time() - silent_since > 1.2)
        if on_silence == "cut":
            await eventually(lambda: stream.over is not None, "the lease is over")
        else:
            assert stream.over is None
            assert await refusal(stolen, end) == "lease.missing"  # nothing new
            await stream.say(b"still")  # what runs goes on meanwhile
            await stream.heard(11)
        if on_silence == "drain":
            await eventually(lambda: stream.over is not None, "the drain time is over")
        # What was hoarded is worth nothing when it comes: its questions are too old by then.
        await (await stolen.link()).deliver(*stolen.relay.letters[kept_from:])
        if on_silence != "until_expiry":
            assert await refusal(stolen, end) in ("order.unknown", "lease.missing")
            assert len(stolen.device.connections[-1].heard) <= 11
    finally:
        stolen.relay.holds = False
    stream.hang_up()
    await works(stolen)


async def test_hoarded_leases_count_from_when_they_were_asked_for(stolen: Stolen) -> None:
    end = stolen.end(lease_s=1, drain_s=30)
    stream = await stolen.open(end)
    stolen.relay.holds, kept_from = True, len(stolen.relay.letters)
    try:
        await asyncio.sleep(1)
        hoard = stolen.relay.letters[kept_from:]
        assert len(hoard) >= 2  # times and leases, fresh ones, rightly signed
        await asyncio.sleep(1.3)
        await (await stolen.link()).deliver(*hoard)
        assert await refusal(stolen, end) == "lease.missing"
    finally:
        stolen.relay.holds = False
    await works(stolen)
    stream.hang_up()


# -- repetition ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarted", [False, True], ids=["at once", "after a restart"])
async def test_a_withdrawn_order_stays_withdrawn_whatever_is_said_again(
    floor: Floor, device: Device, tmp_path: Path, restarted: bool
) -> None:
    async with stolen_relay(tmp_path, floor, device) as stolen:
        end = stolen.end()
        stream = await stolen.open(end)
        await stream.say(b"x")
        await stream.heard(1)
        heard_by_then = list(stolen.relay.letters)  # the order, its leases, the times
        assert len(heard_by_then) >= 3
        stolen.authority.withdraw(end.session, "cut")
        await stolen.authority.event(stolen.gateway, "session.ended", end.session)
        await stream.ended()
        if restarted:
            await stolen.process.kill()
            await eventually(lambda: stolen.relay.link_of(stolen.gateway) is None)
            await stolen.process.start()
        link, before = await stolen.link(), len(device.connections)
        await stolen.authority.event(stolen.gateway, "gateway.time.set")
        for _ in range(3):
            await link.deliver(*heard_by_then)
        await eventually(
            lambda: stolen.authority.found(stolen.gateway, "order.refused", end.session), "the replay is on record"
        )
        assert await refusal(stolen, end) == "order.unknown"
        assert len(device.connections) == before
        assert len(stolen.authority.found(stolen.gateway, "session.ended", end.session)) == 1


async def test_an_order_that_expired_is_not_revived_by_old_times_and_leases(stolen: Stolen) -> None:
    end = stolen.end(expires_ms=stolen.authority._unix_ms() + 1500, drain_s=0)
    stream = await stolen.open(end)
    hoard = list(stolen.relay.letters)
    link = await stolen.link()
    for _ in range(20):  # all the time, from before its end until after it
        await link.deliver(*hoard[-50:])
        await asyncio.sleep(0.1)
    await stream.ended()
    ended = await stolen.authority.event(stolen.gateway, "session.ended", end.session)
    assert ended.fields["ending"] == "expired"
    await link.deliver(*hoard[-50:])
    assert await refusal(stolen, end) == "order.unknown"


async def test_letters_for_another_gateway_or_by_another_signer_are_not_obeyed(stolen: Stolen) -> None:
    authority, gateway, link = stolen.authority, stolen.gateway, await stolen.link()
    end = End(authority, gateway, stolen.directory)
    asset = Asset(new_id(Kind.SERVICE), stolen.device.address, stolen.device.port)
    order = authority.order(gateway, end.session, end.key_sha256, [asset])
    elsewhere = authority.order(new_id(Kind.GATEWAY), end.session, end.key_sha256, [asset])
    good = authority.seal(gateway, authority.signed(order))
    bad = [
        authority.seal(gateway, authority.signed(order, key=Ed25519PrivateKey.generate())),
        authority.seal(gateway, authority.signed(order, role="acknowledgement")),
        authority.seal(gateway, authority.signed(elsewhere)),
        authority.signed(order),
        good[:-1] + bytes([good[-1] ^ 1]),
        good[: len(good) // 2],
        b"\x02" + good[1:],
        b"",
        secrets.token_bytes(500),
        os.urandom(200_000),
    ]
    before = stolen.process.said.count("letter.refused")
    await link.deliver(*bad)
    await eventually(lambda: stolen.process.said.count("letter.refused") == before + len(bad), "each is refused")
    assert link is await stolen.link()
    end.assets, end.order_sha256 = [asset], bytes(32)
    assert await refusal(stolen, end) == "order.unknown"
    assert authority.found(gateway, "order.accepted", end.session) == []


# -- invention -------------------------------------------------------------------------------------------------


async def test_a_forged_time_or_lease_moves_nothing(stolen: Stolen) -> None:
    authority, gateway, link = stolen.authority, stolen.gateway, await stolen.link()
    end = End(authority, gateway, stolen.directory)
    asset = Asset(new_id(Kind.SERVICE), stolen.device.address, stolen.device.port)
    stolen.authority.leases = False
    try:
        end.permit([asset])
        await authority.event(gateway, "order.accepted", end.session)
        nonce = authority.gateways[gateway].questions[-1].nonce  # a thief cannot even see it: it is sealed
        lease = Leases(gateway, nonce, [SessionLease(end.session, end.order_sha256, 3600)])
        forged = [
            authority.signed(lease, key=Ed25519PrivateKey.generate()),
            authority.signed(lease, role="ticket"),
            authority.signed(Leases(gateway, secrets.token_bytes(32), lease.leases)),  # right key, never asked
            authority.signed(Time(gateway, nonce, 4_000_000_000_000), role="acknowledgement"),
        ]
        await link.deliver(*(authority.seal(gateway, signed) for signed in forged))
        assert await refusal(stolen, end) == "lease.missing"
        assert authority.found(gateway, "gateway.clock.jumped") == []
    finally:
        stolen.authority.leases = True
    await works(stolen)


async def test_forged_acknowledgements_destroy_no_evidence(floor: Floor, device: Device, tmp_path: Path) -> None:
    async with stolen_relay(tmp_path, floor, device) as stolen:
        authority, gateway, relay = stolen.authority, stolen.gateway, stolen.relay
        await works(stolen)
        await eventually(lambda: authority.found(gateway, "stream.closed"))
        known = authority.events[gateway][-1]
        relay.swallows = True  # from here on the control plane hears nothing
        link = await stolen.link()
        authority.withdraw(authority.found(gateway, "stream.closed")[0].session, "cut")
        await eventually(lambda: "session.ended" in stolen.process.said, "the cut is in the spool")
        epoch, seq = known.context.epoch, known.context.seq
        forged = [
            authority.signed(Acknowledgement(gateway, epoch, seq + ahead, digest), role=role, key=key)
            for ahead in (0, 1, 2, 1000)
            for digest in (known.sha256, secrets.token_bytes(32))
            for role, key in (("order", None), ("acknowledgement", Ed25519PrivateKey.generate()))
        ]
        # And what the right signer really said, for events that it does not fit.
        forged += [authority.signed(Acknowledgement(gateway, epoch, seq + ahead, known.sha256)) for ahead in (1, 2)]
        await link.deliver(*(authority.seal(gateway, signed) for signed in forged))
        await asyncio.sleep(0.3)
        assert authority.found(gateway, "session.ended") == []
        # The thief is gone, the honest relay is back at its place.
        await relay.__aexit__()
        await eventually(lambda: not authority.bus.relays)
        authority.admit(gateway)
        name = authority.relay.address.relay
        await authority.relay.process.start()
        await authority.relay_up(name)
        await authority.linked(gateway)
        await authority.event(gateway, "session.ended")
        assert authority.faults == []
        sequence = [stored.context.seq for stored in authority.events[gateway]]
        assert sequence == list(range(1, len(sequence) + 1))


async def test_reports_kept_repeated_and_reordered_leave_one_whole_chain(stolen: Stolen) -> None:
    authority, gateway, link, end = stolen.authority, stolen.gateway, await stolen.link(), stolen.end()
    stream = await stolen.open(end)
    await authority.event(gateway, "stream.opened", end.session)
    stolen.relay.swallows = True
    try:
        at = len(link.reports)
        stream.hang_up()
        authority.withdraw(end.session, "cut")
        await eventually(lambda: len(link.reports) >= at + 2)
    finally:
        stolen.relay.swallows = False
    for reports in (link.reports[at:][::-1], link.reports[:at][-20:], link.reports[at:], link.reports[at:]):
        stolen.relay.tell_control(FromGateway(stolen.relay.relay, gateway, reports))
    await authority.event(gateway, "session.ended", end.session)
    await works(stolen)
    assert [fault for fault in authority.faults if "forked" in fault] == []
    sequence = [stored.context.seq for stored in authority.events[gateway]]
    assert sequence == list(range(1, len(sequence) + 1))
    assert len(authority.found(gateway, "session.ended", end.session)) == 1


def came_again(stolen: Stolen, old: HostileLink) -> bool:
    return stolen.relay.link_of(stolen.gateway) not in (None, old)


def has_asked(stolen: Stolen, before: int) -> bool:
    return len(stolen.authority.gateways[stolen.gateway].questions) > before


async def test_frames_that_cannot_be_cost_the_thief_his_link(stolen: Stolen) -> None:
    pid = stolen.process.pid
    for garbage in (
        ((1 << 20) + 1).to_bytes(4, "big"), bytes(4), (5).to_bytes(4, "big") + b"\xc1" * 5,
        (2000).to_bytes(4, "big") + b"\x91" * 2000, FROM_RELAY.frame(Letters([b"cut short"]))[:-3] + b"\xff" * 3,
    ):  # fmt: skip
        link, asked = await stolen.link(), len(stolen.authority.gateways[stolen.gateway].questions)
        with_good = FROM_RELAY.frame(Letters([secrets.token_bytes(10)]))
        await link.outer.send(with_good + garbage)
        if garbage[-3:] == b"\xff" * 3:
            continue  # a letter like any other, and refused as one
        await eventually(partial(came_again, stolen, link), "it comes again")
        await eventually(partial(has_asked, stolen, asked), "and the control plane knows it")
    assert stolen.process.pid == pid
    assert stolen.process.running
    await works(stolen)
