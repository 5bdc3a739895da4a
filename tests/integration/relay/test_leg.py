# SPDX-License-Identifier: Apache-2.0
"""Legs: which ticket and which dial request open one, and what remains of those that fail."""

import asyncio
import secrets
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from portineria.bus.message import CloseLegs
from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.leg import LegRefused, reach
from portineria.wire.leg import (
    FROM_RELAY,
    LEG_ALPN,
    TO_RELAY,
    Challenge,
    ConnectorLeg,
    Dial,
    DialFailed,
    GatewayLeg,
    Go,
    Ping,
    Refused,
    prove,
)
from portineria.wire.statement import Ticket, sha256
from tests.integration.process import eventually
from tests.integration.relay.bare import BareConnector, BareGateway, RawLeg, running, way
from tests.integration.relay.conftest import Bare
from tests.integration.relay.meter import descriptors, settled

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOTHING = {"waiting": 0, "legs": 0, "pairs": 0, "setups": 0}


async def refusal(connector: BareConnector, ticket: bytes | None = None) -> str:
    with pytest.raises(LegRefused) as caught:
        await connector.leg(ticket=ticket)
    return caught.value.code


# -- tickets ---------------------------------------------------------------------------------------------------


async def test_a_ticket_opens_legs_at_its_own_relay_and_in_its_own_time_only(bare: Bare) -> None:
    await bare.gateway.serve()
    connector, now = bare.connector, bare.authority._unix_ms()
    assert await refusal(connector, connector.ticket(relay=new_id(Kind.RELAY))) == "ticket.elsewhere"
    assert await refusal(connector, connector.ticket(not_after_ms=now - 1)) == "ticket.expired"
    assert await refusal(connector, connector.ticket(not_after_ms=now + 20 * 60_000)) == "ticket.too-long"
    await connector.pair()  # and the right one opens one


async def test_a_ticket_is_worth_nothing_without_the_session_key(bare: Bare) -> None:
    await bare.gateway.serve()
    thief = BareConnector(bare.gateway)
    assert await refusal(thief, bare.connector.ticket()) == "ticket.elsewhere"  # his own key, another's ticket
    thief.spki = bare.connector.spki
    with pytest.raises(ConnectionError):  # the right public key, but he cannot sign with it
        await thief.leg(ticket=bare.connector.ticket())
    await settled(bare.authority.relay.process, **NOTHING)


async def test_a_forged_ticket_is_not_even_answered(bare: Bare) -> None:
    await bare.gateway.serve()
    authority, connector = bare.authority, bare.connector
    digest = Ticket(connector.session, bytes(32), bare.gateway.id, bare.relay, authority._unix_ms() + 60_000, 4)
    good = connector.ticket()
    forged = {
        "another signer": authority.signed(digest, key=Ed25519PrivateKey.generate()),
        "an order signer": authority.signed(digest, role="order"),
        "altered": good[:-70] + bytes([good[-70] ^ 1]) + good[-69:],
        "garbage": secrets.token_bytes(300),
        "empty": b"",
    }
    for ticket in forged.values():
        with pytest.raises(ConnectionError):
            await connector.leg(ticket=ticket)
    await settled(authority.relay.process, **NOTHING)


async def test_a_proof_of_an_earlier_connection_is_worth_nothing(bare: Bare) -> None:
    await bare.gateway.serve()
    address, connector = bare.authority.relay.address, bare.connector
    outer, challenge, _ = await reach(address, way(bare.authority), LEG_ALPN)
    replayed = ConnectorLeg(connector.ticket(), connector.spki, prove(connector.key, challenge, "leg"), False)
    outer.abort()
    outer, _, _ = await reach(address, way(bare.authority), LEG_ALPN)
    await outer.send(TO_RELAY.frame(replayed))
    with pytest.raises(ConnectionError):
        await outer.receive()
    outer.abort()


async def test_a_session_has_at_most_as_many_legs_as_its_ticket_says(bare: Bare) -> None:
    await bare.gateway.serve()
    ticket = bare.connector.ticket(max_legs=2)
    legs = [await bare.connector.leg(ticket=ticket) for _ in range(2)]
    assert await refusal(bare.connector, ticket) == "session.legs"
    assert isinstance(await BareConnector(bare.gateway).leg(), RawLeg)  # another session is not concerned
    legs[0].abort()
    await settled(bare.authority.relay.process, legs=2)
    legs.append(await bare.connector.leg(ticket=ticket))
    for leg in legs:
        leg.close()


async def test_a_ticket_key_on_another_curve_is_refused_without_breaking_anything(bare: Bare) -> None:
    await bare.gateway.serve()
    for key in (ec.generate_private_key(ec.SECP384R1()), Ed25519PrivateKey.generate()):
        odd = BareConnector(bare.gateway)
        odd.spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        digest = bare.authority.signed(
            Ticket(odd.session, sha256(odd.spki), bare.gateway.id, bare.relay,
                   bare.authority._unix_ms() + 60_000, 4)
        )  # fmt: skip
        with pytest.raises(ConnectionError):
            await odd.leg(ticket=digest)
    await settled(bare.authority.relay.process, **NOTHING)


# -- the gateway's side ----------------------------------------------------------------------------------------


async def test_without_the_gateway_the_technician_is_told_at_once(bare: Bare) -> None:
    assert await refusal(bare.connector) == "gateway.away"
    link = await bare.gateway.link()
    asking = asyncio.ensure_future(refusal(bare.connector))
    dial = await link.hear()
    assert isinstance(dial, Dial)
    await link.say(DialFailed(dial.nonce, "gateway.busy"))
    assert await asking == "gateway.failed"
    await settled(bare.authority.relay.process, **NOTHING)


async def test_a_gateway_that_does_not_come_leaves_nothing_behind(tmp_path: Path) -> None:
    async with running(tmp_path, pairing_s=0.3) as authority:
        gateway = BareGateway(authority)
        authority.admit(gateway.id)
        link = await gateway.link()
        connector = BareConnector(gateway)
        asking = asyncio.ensure_future(refusal(connector))
        dial = await link.hear()
        assert await asking == "gateway.silent"
        assert isinstance(dial, Dial)
        with pytest.raises(LegRefused) as late:
            await gateway.leg(dial.nonce)
        assert late.value.code == "leg.unexpected"
        await settled(authority.relay.process, **NOTHING)
        await gateway.close()


async def test_a_relay_takes_on_no_more_than_its_settings_say(tmp_path: Path) -> None:
    limits = {"links": 1, "leg_pairs": 2, "pairings_per_gateway": 1, "pairing_s": 60}
    async with running(tmp_path, **limits) as authority:
        gateway, late = BareGateway(authority), BareGateway(authority)
        try:
            authority.admit(gateway.id, late.id)
            await gateway.link()
            one_too_many = await late.reach()
            await one_too_many.say(late.proof(one_too_many.challenge))
            assert await one_too_many.refused() == "link.not-admitted"
            link = await gateway.link()  # whoever has a link replaces it
            for _ in range(2):
                waiting = asyncio.ensure_future(BareConnector(gateway).leg())
                dial = await link.hear(30)
                assert isinstance(dial, Dial)
                assert await refusal(BareConnector(gateway)) == "gateway.busy"
                await asyncio.gather(gateway.leg(dial.nonce), waiting)
            assert await refusal(BareConnector(gateway)) == "relay.full"
        finally:
            await gateway.close()
            await late.close()


async def test_a_dial_request_is_answered_once_and_cannot_be_guessed(bare: Bare) -> None:
    link = await bare.gateway.link()
    dialling = asyncio.ensure_future(bare.connector.leg())
    dial = await link.hear()
    assert isinstance(dial, Dial)
    for guess in (secrets.token_bytes(32), bytes(32), bytes([dial.nonce[0] ^ 1]) + dial.nonce[1:]):
        with pytest.raises(LegRefused) as wrong:
            await bare.gateway.leg(guess)
        assert wrong.value.code == "leg.unexpected"
    theirs, mine = await asyncio.gather(bare.gateway.leg(dial.nonce), dialling)
    with pytest.raises(LegRefused) as again:
        await bare.gateway.leg(dial.nonce)
    assert again.value.code == "leg.unexpected"
    await mine.send(b"still joined")
    assert await theirs.exactly(12) == b"still joined"


async def test_a_dial_request_answered_twice_in_the_same_moment_is_answered_once(bare: Bare) -> None:
    relay, link = bare.authority.relay, await bare.gateway.link()
    dialling = asyncio.ensure_future(bare.connector.leg(nested=True))
    dial = await link.hear()
    assert isinstance(dial, Dial)
    outers = [(await reach(relay.address, way(bare.authority), LEG_ALPN))[0] for _ in range(2)]
    relay.process.freeze()
    for outer in outers:
        await outer.send(TO_RELAY.frame(GatewayLeg(dial.nonce, True)))
    relay.process.thaw()
    async with asyncio.timeout(30):
        answers = [FROM_RELAY.decode(await outer.receive()) for outer in outers]
    assert Go(True) in answers
    assert Refused("leg.unexpected") in answers
    await dialling
    for outer in outers:
        outer.abort()


async def test_one_gateway_cannot_fail_another_s_dial_request(bare: Bare) -> None:
    rival = BareGateway(bare.authority)
    bare.authority.admit(bare.gateway.id, rival.id)
    link, rivals_link = await bare.gateway.link(), await rival.link()
    dialling = asyncio.ensure_future(bare.connector.leg())
    dial = await link.hear()
    assert isinstance(dial, Dial)
    await rivals_link.say(DialFailed(dial.nonce, "gateway.busy"))
    await rivals_link.say(Ping())
    await rivals_link.hear()  # the relay has read both
    await asyncio.gather(bare.gateway.leg(dial.nonce), dialling)
    await rival.close()


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "spliced"])
async def test_a_technician_who_leaves_while_waiting_leaves_nothing_behind(bare: Bare, nested: bool) -> None:
    relay = bare.authority.relay.process
    link = await bare.gateway.link()
    await settled(relay, **NOTHING)
    before = descriptors(relay.pid)
    asking = asyncio.ensure_future(bare.connector.leg(nested=nested))
    dial = await link.hear()
    assert isinstance(dial, Dial)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    try:
        theirs = await bare.gateway.leg(dial.nonce, nested=nested)
    except (LegRefused, ConnectionError, TimeoutError):
        pass  # the relay found out first
    else:
        await theirs.gone()
        theirs.close()
    found = await settled(relay, **NOTHING)
    await eventually(lambda: descriptors(relay.pid) <= before + 2 * found["pipes"], "every descriptor came back")


async def test_one_end_that_never_says_goodbye_frees_both_after_three_seconds(bare: Bare) -> None:
    relay = bare.authority.relay.process
    link = await bare.gateway.link()
    before = descriptors(relay.pid)
    outer, challenge, _ = await reach(bare.authority.relay.address, way(bare.authority), LEG_ALPN)
    connector = bare.connector
    first = ConnectorLeg(connector.ticket(), connector.spki, prove(connector.key, challenge, "leg"), False)
    await outer.send(TO_RELAY.frame(first))
    dial = await link.hear()
    assert isinstance(dial, Dial)
    theirs = await bare.gateway.leg(dial.nonce)  # says goodbye; the connector reads Go and says nothing
    began = asyncio.get_running_loop().time()
    await theirs.gone()
    assert 2 < asyncio.get_running_loop().time() - began < 15
    await settled(relay, **NOTHING)
    await eventually(lambda: descriptors(relay.pid) <= before)
    outer.abort()
    theirs.close()


async def test_an_end_that_leaves_during_the_goodbye_takes_the_other_with_it_at_once(bare: Bare) -> None:
    """And the descriptors' numbers serve the next connections undisturbed."""
    relay = bare.authority.relay.process
    link = await bare.gateway.link()
    for _ in range(3):
        outer, challenge, _ = await reach(bare.authority.relay.address, way(bare.authority), LEG_ALPN)
        connector = BareConnector(bare.gateway)
        first = ConnectorLeg(connector.ticket(), connector.spki, prove(connector.key, challenge, "leg"), False)
        await outer.send(TO_RELAY.frame(first))
        dial = await link.hear()
        assert isinstance(dial, Dial)
        theirs, _, _ = await reach(bare.authority.relay.address, way(bare.authority), LEG_ALPN)
        await theirs.send(TO_RELAY.frame(GatewayLeg(dial.nonce, False)))
        await theirs.receive()  # Go: both are awaited now
        theirs.abort()
        await settled(relay, **NOTHING)
        outer.abort()
    serving = await bare.gateway.serve()
    pairs = [await bare.connector.pair() for _ in range(4)]
    await asyncio.sleep(3.2)  # as long as a forgotten task would have waited
    for mine, theirs_now in pairs:
        await mine.send(b"whose descriptor is this")
        async with asyncio.timeout(30):
            assert await theirs_now.exactly(24) == b"whose descriptor is this"
        mine.close()
        theirs_now.close()
    serving.close()


async def test_other_first_frames_of_a_leg_end_it(bare: Bare) -> None:
    await bare.gateway.serve()
    address = bare.authority.relay.address
    for frame in (
        TO_RELAY.frame(Ping()), (2049).to_bytes(4, "big"), bytes(4), (40).to_bytes(4, "big") + b"\xc1" * 40,
        TO_RELAY.frame(bare.gateway.proof(_challenge())),
    ):  # fmt: skip
        outer, _, _ = await reach(address, way(bare.authority), LEG_ALPN)
        await outer.send(frame)
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(30):
                await outer.receive()
        outer.abort()
    await settled(bare.authority.relay.process, **NOTHING)


def _challenge() -> Challenge:
    return Challenge(bytes(32), new_id(Kind.RELAY))


# -- closing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "spliced"])
async def test_close_legs_cuts_at_once_and_bars_the_session(bare: Bare, nested: bool) -> None:
    await bare.gateway.serve(nested=nested)
    other = BareConnector(bare.gateway)
    kept, kept_far = await other.pair(nested=nested)
    pairs = [await bare.connector.pair(nested=nested) for _ in range(3)]
    filling = asyncio.ensure_future(pairs[0][0].send(bytes(40 << 20)))  # nobody reads: every buffer is full
    await asyncio.sleep(0.2)
    bare.authority.bus.publish(bare.relay, CloseLegs(bare.connector.session))
    for mine, theirs in pairs[1:]:
        await mine.gone(1)
        await theirs.gone(1)
    with pytest.raises(OSError):  # noqa: PT011 - reset or broken pipe, as the kernel likes
        await filling
    assert await refusal(bare.connector) == "session.ended"
    await kept.send(b"another session")
    assert await kept_far.exactly(15) == b"another session"

    def closed() -> list[str]:
        return [leg.session for leg in bare.authority.legs_closed if leg.session == bare.connector.session]

    await eventually(lambda: len(closed()) == 3, "the control plane hears of each")


async def test_close_legs_also_ends_those_that_still_wait_for_the_gateway(bare: Bare) -> None:
    link = await bare.gateway.link()
    asking = asyncio.ensure_future(refusal(bare.connector))
    dial = await link.hear()
    assert isinstance(dial, Dial)
    bare.authority.bus.publish(bare.relay, CloseLegs(bare.connector.session))
    async with asyncio.timeout(30):
        assert await asking == "session.ended"
    with pytest.raises(LegRefused) as late:
        await bare.gateway.leg(dial.nonce)
    assert late.value.code == "leg.unexpected"
    await settled(bare.authority.relay.process, **NOTHING)


async def test_a_killed_relay_comes_back_empty_and_serves_the_same_tickets(bare: Bare) -> None:
    await bare.gateway.serve()
    mine, theirs = await bare.connector.pair()
    await bare.authority.restart_relay(bare.relay)
    await mine.gone()
    await theirs.gone()
    assert await refusal(bare.connector) == "gateway.away"
    await bare.gateway.serve()
    again, far = await bare.connector.pair()
    await again.send(b"back")
    assert await far.exactly(4) == b"back"


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "spliced"])
async def test_a_frozen_relay_loses_no_byte(bare: Bare, nested: bool) -> None:
    await bare.gateway.serve(nested=nested)
    mine, theirs = await bare.connector.pair(nested=nested)
    bare.authority.relay.process.freeze()
    sent = secrets.token_bytes(3 << 20)
    sending = asyncio.ensure_future(mine.send(sent))
    await asyncio.sleep(0.5)
    bare.authority.relay.process.thaw()
    async with asyncio.timeout(10):
        assert await theirs.exactly(len(sent)) == sent
        await sending
