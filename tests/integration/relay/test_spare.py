# SPDX-License-Identifier: Apache-2.0
"""Legs that a gateway keeps at the relay before anybody asks: who may, for whom they are, and when they end."""

import asyncio
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from portineria.dataplane.aio.leg import LegRefused, ReadyLeg, reach, spare_leg
from portineria.dataplane.aio.outer import Outer
from portineria.wire.leg import LEG_ALPN, TO_RELAY, Challenge, Dial, Ping, Pong, Prove, Purpose, SpareLeg, prove
from tests.integration.relay.bare import BareGateway, BareLink, RawLeg, way
from tests.integration.relay.conftest import Bare
from tests.integration.relay.meter import settled

pytestmark = pytest.mark.asyncio(loop_scope="module")
Spare = asyncio.Task[ReadyLeg]


def proof_of(gateway: BareGateway) -> Prove:
    return lambda challenge, purpose: (gateway.certificate, prove(gateway.key, challenge, purpose))


async def in_reserve(bare: Bare, *, proof: Prove | None = None) -> Spare:
    """One more leg that waits at the relay."""
    gateway = bare.gateway
    address = bare.authority.relay.address
    made = asyncio.ensure_future(spare_leg(address, way(bare.authority), proof or proof_of(gateway)))
    await settled(bare.authority.relay.process, spares=1)
    return made


async def joined(bare: Bare, spare: Spare) -> tuple[RawLeg, RawLeg]:
    """(connector's leg, the spare), of the session of ``bare.connector``."""
    mine = await bare.connector.leg()
    async with asyncio.timeout(5):
        bare.gateway.made.append(RawLeg(await spare))
    return mine, bare.gateway.made[-1]


async def not_asked(link: BareLink) -> None:
    """No dial request has come over this link."""
    await link.say(Ping())
    assert isinstance(await link.hear(), Pong)


async def raw_spare(bare: Bare) -> Outer:
    """As ``in_reserve``, in the test's own hands."""
    outer, challenge, _ = await reach(bare.authority.relay.address, way(bare.authority), LEG_ALPN)
    await outer.send(TO_RELAY.frame(SpareLeg(*proof_of(bare.gateway)(challenge, "spare"))))
    await settled(bare.authority.relay.process, spares=1)
    return outer


async def test_the_first_leg_of_a_session_is_joined_with_the_one_in_reserve(bare: Bare) -> None:
    link = await bare.gateway.link()
    mine, its = await joined(bare, await in_reserve(bare))
    assert mine.nested
    assert its.nested
    await mine.send(b"question")
    assert await its.exactly(8) == b"question"
    await its.send(b"answer")
    assert await mine.exactly(6) == b"answer"
    await not_asked(link)
    await settled(bare.authority.relay.process, spares=0, pairs=1)


async def test_a_later_leg_of_the_session_leaves_it_to_the_next_one(bare: Bare) -> None:
    link = await bare.gateway.link()
    await joined(bare, await in_reserve(bare))
    spare = await in_reserve(bare)
    later = asyncio.ensure_future(bare.connector.leg())
    dialled = await link.hear()
    assert isinstance(dialled, Dial)
    await bare.gateway.leg(dialled.nonce)
    await later
    assert not spare.done()
    spare.cancel()


async def test_a_gateway_has_one_in_reserve_and_the_newest_counts(bare: Bare) -> None:
    await bare.gateway.link()
    first = await in_reserve(bare)
    second = await in_reserve(bare)
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(first, 5)
    await joined(bare, second)


def of_another(bare: Bare) -> Prove:
    key = ec.generate_private_key(ec.SECP256R1())
    return lambda challenge, purpose: (bare.gateway.certificate, prove(key, challenge, purpose))


def for_a_link(bare: Bare) -> Prove:
    def proof(challenge: Challenge, _purpose: Purpose) -> tuple[bytes, bytes]:
        return bare.gateway.certificate, prove(bare.gateway.key, challenge, "link")

    return proof


@pytest.mark.parametrize("proof", [of_another, for_a_link])
async def test_nobody_else_puts_a_leg_there(bare: Bare, proof: Callable[[Bare], Prove]) -> None:
    await bare.gateway.link()
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(spare_leg(bare.authority.relay.address, way(bare.authority), proof(bare)), 5)
    await settled(bare.authority.relay.process, spares=0)


async def test_without_a_link_nothing_is_kept(bare: Bare) -> None:
    """A gateway that is not admitted any more has none either."""
    link = await bare.gateway.link()
    spare = await in_reserve(bare)
    link.close()
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(spare, 5)
    await settled(bare.authority.relay.process, spares=0, links=0)
    with pytest.raises(LegRefused, match=r"gateway\.away"):
        await asyncio.wait_for(spare_leg(bare.authority.relay.address, way(bare.authority), proof_of(bare.gateway)), 5)


@pytest.mark.parametrize("says", [b"", b"\x00"], ids=["it leaves", "it speaks"])
async def test_whatever_comes_from_it_is_its_end(bare: Bare, says: bytes) -> None:
    """The next connector is served by dialling, as ever."""
    await bare.gateway.serve()
    outer = await raw_spare(bare)
    if says:
        await outer.send(says)
    else:
        outer.abort()
    await settled(bare.authority.relay.process, spares=0)
    mine, its = await bare.connector.pair()
    await mine.send(b"x")
    assert await its.exactly(1) == b"x"
    outer.abort()
