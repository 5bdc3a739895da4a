# SPDX-License-Identifier: Apache-2.0
"""A gateway's control link: who gets one, who loses it, and what a stranger can do with the port."""

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.bus.message import Deliver, DropGateway, SetAdmitted
from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.outer import CLOSE_S
from portineria.wire.leg import TO_RELAY, Challenge, Dial, GatewayProof, Letters, Ping, Pong, Welcome, prove
from portineria.wire.statement import Admitted, AdmittedGateway, sign_statement
from tests.integration.authority import Authority
from tests.integration.process import eventually
from tests.integration.relay.bare import BareConnector, BareGateway, running
from tests.integration.relay.conftest import Bare
from tests.integration.relay.meter import descriptors, figures, settled

pytestmark = pytest.mark.asyncio(loop_scope="module")
DAY_MS = 24 * 3600 * 1000


def admit_by(authority: Authority, step: int, at_ms: int, *gateways: BareGateway) -> None:
    """Say a list whose number is ``step`` higher than the last one."""
    authority._number += step
    number, rows = (
        authority._number,
        [AdmittedGateway(gateway.id, authority.gateways[gateway.id].spki_sha256) for gateway in gateways],
    )
    signed = sign_statement(
        Admitted(number, at_ms, rows), authority.signer_keys["ticket"], authority.signer_ids["ticket"]
    )
    authority.bus.publish_all(SetAdmitted(signed))


# -- who gets one ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["relay", "session"])
async def test_another_kind_of_certificate_never_passes_as_a_gateway(bare: Bare, kind: str) -> None:
    leaf = bare.authority.issue(kind, bare.gateway.id, bare.gateway.key.public_key())
    bare.gateway.certificate = bare.authority.der(leaf)
    link = await bare.gateway.reach()
    await link.say(bare.gateway.proof(link.challenge))
    assert await link.refused() == "link.refused"
    assert "signed by another issuer" in bare.authority.relay.process.said


async def test_a_signer_s_certificate_never_passes_as_a_gateway(bare: Bare) -> None:
    key = Ed25519PrivateKey.generate()
    leaf = bare.authority.issue("signer", bare.gateway.id, key.public_key())
    link = await bare.gateway.reach()
    signature = key.sign(b"portineria-auth" + link.challenge.nonce + link.challenge.relay.encode() + b" link")
    await link.say(GatewayProof(bare.authority.der(leaf), signature))
    assert await link.refused() == "link.refused"


@pytest.mark.parametrize("begins_in", [timedelta(days=-61), timedelta(days=2)])
async def test_a_certificate_out_of_date_has_no_link(bare: Bare, begins_in: timedelta) -> None:
    authority = bare.authority
    leaf = authority.issue("gateway", bare.gateway.id, bare.gateway.key.public_key(), at=authority.now + begins_in)
    bare.gateway.certificate = authority.der(leaf)
    link = await bare.gateway.reach()
    await link.say(bare.gateway.proof(link.challenge))
    assert await link.refused() == "certificate.date"


async def test_a_gateway_that_was_not_admitted_has_no_link(bare: Bare) -> None:
    stranger = BareGateway(bare.authority)
    link = await stranger.reach()
    await link.say(stranger.proof(link.challenge))
    assert await link.refused() == "link.not-admitted"
    assert (await figures(bare.authority.relay.process))["links"] == 0
    await stranger.close()


async def test_an_admitted_name_with_another_key_has_no_link(bare: Bare) -> None:
    impostor = BareGateway(bare.authority)
    leaf = bare.authority.issue("gateway", bare.gateway.id, impostor.key.public_key())
    impostor.certificate = bare.authority.der(leaf)
    link = await impostor.reach()
    await link.say(impostor.proof(link.challenge))
    assert await link.refused() == "link.not-admitted"
    await impostor.close()


async def test_a_proof_counts_only_for_its_own_nonce_relay_and_purpose(bare: Bare) -> None:
    gateway = bare.gateway
    for wrong in ("nonce", "relay", "purpose", "key"):
        link = await gateway.reach()
        challenge, key, purpose = link.challenge, gateway.key, "link"
        if wrong == "nonce":
            challenge = Challenge(bytes(32), challenge.relay)
        elif wrong == "relay":
            challenge = Challenge(challenge.nonce, new_id(Kind.RELAY))
        elif wrong == "purpose":
            purpose = "leg"
        else:
            key = ec.generate_private_key(ec.SECP256R1())
        await link.say(GatewayProof(gateway.certificate, prove(key, challenge, purpose)))  # type: ignore[arg-type]
        assert await link.refused() == "link.refused", wrong
    await gateway.link()  # the right one passes


async def test_a_list_older_than_a_day_admits_nobody_new_and_keeps_who_is_there(bare: Bare) -> None:
    link = await bare.gateway.link()
    now = bare.authority._unix_ms()
    admit_by(bare.authority, 1, now - DAY_MS - 1000, bare.gateway)
    again = await bare.gateway.reach()
    await again.say(bare.gateway.proof(again.challenge))
    assert await again.refused() == "link.not-admitted"
    await link.say(Ping())
    assert await link.hear() == Pong()
    admit_by(bare.authority, 1, now - DAY_MS + 60_000, bare.gateway)
    await bare.gateway.link()


async def test_a_list_with_a_lower_number_or_another_signature_is_ignored(bare: Bare) -> None:
    link = await bare.gateway.link()
    now = bare.authority._unix_ms()
    admit_by(bare.authority, 2, now, bare.gateway)
    admit_by(bare.authority, -1, now)  # an old list without this gateway, said again
    forged = sign_statement(Admitted(10**6, now, []), Ed25519PrivateKey.generate(), bare.authority.signer_ids["ticket"])
    bare.authority.bus.publish_all(SetAdmitted(forged))
    ordered = sign_statement(Admitted(10**6, now, []), bare.authority.signer_keys["order"], "sig")
    bare.authority.bus.publish_all(SetAdmitted(ordered))
    await eventually(lambda: bare.authority.relay.process.said.count("relay.admitted.refused") == 2)
    await link.say(Ping())
    assert await link.hear() == Pong()
    admit_by(bare.authority, 3, now)
    assert await link.refused() == "link.revoked"


# -- who loses it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["dropped", "no longer on the list"])
async def test_a_revoked_gateway_loses_its_link_and_its_legs(bare: Bare, how: str) -> None:
    link = await bare.gateway.link()
    dialling = asyncio.ensure_future(bare.connector.leg())
    dial = await link.hear()
    assert isinstance(dial, Dial)
    theirs = await bare.gateway.leg(dial.nonce)
    mine = await dialling
    if how == "dropped":
        bare.authority.bus.publish(bare.relay, DropGateway(bare.gateway.id))
    else:
        bare.authority.admit()
    assert await link.refused() == "link.revoked"
    await mine.gone()
    await theirs.gone()
    await eventually(lambda: not bare.authority.gateways[bare.gateway.id].links, "the control plane hears of it")
    mine.close()
    theirs.close()


async def test_a_revoked_gateway_that_plays_dead_is_out_of_the_tables_at_once(bare: Bare) -> None:
    link = await bare.gateway.link()
    held = descriptors(bare.authority.relay.process.pid)
    bare.authority.bus.publish(bare.relay, DropGateway(bare.gateway.id))
    # It reads nothing and answers no goodbye, but goes on sending.
    await eventually(lambda: not bare.authority.gateways[bare.gateway.id].links, within_s=CLOSE_S * 0.8)
    await link.say(Letters([b"from a revoked gateway"]))
    assert (await figures(bare.authority.relay.process))["links"] == 0
    await eventually(lambda: descriptors(bare.authority.relay.process.pid) < held, "its socket is closed by force")


async def test_a_second_link_of_a_gateway_replaces_the_first(bare: Bare) -> None:
    first = await bare.gateway.link()
    second = await bare.gateway.link()
    assert await first.refused() == "link.replaced"
    bare.authority.bus.publish(bare.relay, Deliver(bare.gateway.id, [b"sealed"]))
    assert await second.hear() == Letters([b"sealed"])
    assert (await figures(bare.authority.relay.process))["links"] == 1
    assert bare.authority.gateways[bare.gateway.id].links == {bare.relay}


async def test_a_link_is_dead_after_three_heartbeats_even_while_technicians_keep_asking(tmp_path: Path) -> None:
    async with running(tmp_path, idle_heartbeat_s=0.4, busy_heartbeat_s=0.2, pairing_s=0.3) as authority:
        gateway = BareGateway(authority)
        authority.admit(gateway.id)
        link = await gateway.link()
        for _ in range(6):  # 1.5 s in all, longer than three beats
            await asyncio.sleep(0.25)
            await link.say(Ping())
        assert authority.gateways[gateway.id].links

        connector, loop = BareConnector(gateway), asyncio.get_running_loop()
        silent_since = loop.time()
        while authority.gateways[gateway.id].links:  # it says nothing more, and does not come for its legs
            with pytest.raises(Exception, match=r"gateway\.(silent|away)"):
                await connector.leg()
            assert loop.time() - silent_since < 60
        assert loop.time() - silent_since > 1
        await link.ended()
        await gateway.close()


# -- frames ----------------------------------------------------------------------------------------------------


async def test_frames_that_cannot_be_end_the_connection_and_nothing_else(bare: Bare) -> None:
    good = await bare.gateway.link()
    proof = GatewayProof(bare.gateway.certificate, bytes(80))
    bad = {
        "too long": (3000).to_bytes(4, "big"),
        "empty": bytes(4),
        "garbage": (64).to_bytes(4, "big") + bytes(range(64)),
        "deep": (2000).to_bytes(4, "big") + b"\x91" * 2000,
        "text that is none": (9).to_bytes(4, "big") + b"\x81\xa2is\xa4\xff\xff\xff\xff",
        "another message": (8).to_bytes(4, "big") + b"\x81\xa2is\xa3pin",
    }
    for name, data in bad.items():
        link = await bare.gateway.reach()
        await link.raw(data)
        assert await link.refused() == "link.refused", name
    link = await bare.gateway.reach()
    await link.say(proof)
    await link.say(proof)  # two at once: the second is not looked at
    assert await link.refused() == "link.refused"
    await good.raw(((1 << 20) + 1).to_bytes(4, "big"))  # also after the proof there is a limit
    assert await good.refused() == "link.refused"


async def test_a_frame_cut_in_two_is_one_frame(bare: Bare) -> None:
    link = await bare.gateway.reach()
    frame = TO_RELAY.frame(bare.gateway.proof(link.challenge))
    for at in range(0, len(frame), 50):
        await link.raw(frame[at : at + 50])
    assert isinstance(await link.hear(), Welcome)


async def test_a_never_ending_first_frame_ends_by_the_clock(tmp_path: Path) -> None:
    async with running(tmp_path, setup_s=0.5) as authority:
        gateway = BareGateway(authority)
        authority.admit(gateway.id)
        link = await gateway.reach()
        await link.raw((2048).to_bytes(4, "big"))
        refused = asyncio.ensure_future(link.refused())
        with contextlib.suppress(ConnectionError):
            while not refused.done():
                await link.raw(b"\x00")
                await asyncio.sleep(0.05)
        assert await refused == "link.slow"
        await settled(authority.relay.process, setups=0, links=0)
        await gateway.close()
