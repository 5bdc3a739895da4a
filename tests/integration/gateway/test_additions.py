# SPDX-License-Identifier: Apache-2.0
"""Signed letters may add signers to what a gateway pinned; a local command alone may replace (WIRE 6)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.core.ids import Kind, new_id
from portineria.wire.statement import Additions, Time
from tests.integration.authority import Authority
from tests.integration.gateway.conftest import Plant
from tests.integration.gateway.test_orders import refusal
from tests.integration.process import eventually


def certificate(authority: Authority, name: str, key: ec.EllipticCurvePublicKey | object, **dates: object) -> bytes:
    return authority.der(authority.issue("signer", name, key, **dates))  # type: ignore[arg-type]


def rotate(authority: Authority, role: str) -> bytes:
    """From now on the control plane signs with a new key; return the certificate that tells gateways of it."""
    authority.signer_keys[role], authority.signer_ids[role] = Ed25519PrivateKey.generate(), new_id(Kind.SIGNER)
    return authority.signer_certificate(role)


async def timed(plant: Plant) -> None:
    await plant.authority.event(plant.gateway, "gateway.time.set")


async def works(plant: Plant) -> None:
    stream = await plant.end.open()
    await stream.say(b"believed")
    assert await stream.heard(8) == b"believed"
    stream.hang_up()


async def test_a_new_signer_of_orders_is_added_by_the_old_one_and_then_obeyed(plant: Plant) -> None:
    authority = plant.authority
    await timed(plant)
    old = authority.signer_ids["order"], authority.signer_keys["order"]
    before = plant.process.state.load_pinned().trust.signers
    new = rotate(authority, "order")
    fresh = authority.signer_ids["order"], authority.signer_keys["order"]
    plant.end.permit([plant.asset])
    assert await refusal(plant.end) == "order.unknown"  # signed by somebody of whom it has not heard
    authority.signer_ids["order"], authority.signer_keys["order"] = old
    authority.send(plant.gateway, Additions(plant.gateway, [], [], [new]))
    event = await authority.event(plant.gateway, "gateway.trust.changed")
    assert event.fields == {"added": 1, "what": fresh[0]}
    assert plant.process.state.load_pinned().trust.signers == {**before, fresh[0]: new}
    questions = authority.gateways[plant.gateway].questions
    await eventually(lambda: fresh[0] in questions[-1].signers, "the gateway says whom it believes")
    authority.signer_ids["order"], authority.signer_keys["order"] = fresh
    plant.end.permit([plant.asset])
    await works(plant)
    authority.signer_ids["order"], authority.signer_keys["order"] = old  # accepted as before
    plant.end.permit([plant.asset])
    await works(plant)


async def test_what_was_added_is_believed_after_a_restart_too(plant: Plant) -> None:
    authority = plant.authority
    await timed(plant)
    old = authority.signer_ids["order"], authority.signer_keys["order"]
    new = rotate(authority, "order")
    fresh = authority.signer_ids["order"], authority.signer_keys["order"]
    authority.signer_ids["order"], authority.signer_keys["order"] = old
    authority.send(plant.gateway, Additions(plant.gateway, [], [], [new]))
    await authority.event(plant.gateway, "gateway.trust.changed")
    await plant.process.end()
    authority.signer_ids["order"], authority.signer_keys["order"] = fresh
    await plant.process.start()
    await authority.linked(plant.gateway)
    plant.end.permit([plant.asset])
    await works(plant)


async def test_a_new_signer_of_acknowledgements_empties_the_spool(plant: Plant) -> None:
    authority = plant.authority
    await timed(plant)
    new = rotate(authority, "acknowledgement")
    authority.send(plant.gateway, Additions(plant.gateway, [], [], [new]))
    await authority.event(plant.gateway, "gateway.trust.changed")
    questions = authority.gateways[plant.gateway].questions
    asked = len(questions)
    plant.end.permit([plant.asset])
    await works(plant)
    await eventually(lambda: len(questions) > asked and questions[-1].spooled == 0, "all is acknowledged")


def of_another_root(plant: Plant) -> bytes:
    rival = Authority(plant.directory / "rival")
    return rival.signer_certificate("order")


def of_another_issuer(plant: Plant) -> bytes:
    """The right root; the session issuer signs a name that only the signer issuer may give."""
    authority = plant.authority
    authority.issuer_keys["signer"], authority.issuers["signer"] = (
        authority.issuer_keys["session"],
        authority.issuers["session"],
    )
    return certificate(authority, f"order:{new_id(Kind.SIGNER)}", Ed25519PrivateKey.generate().public_key())


def without_a_name(plant: Plant) -> bytes:
    return certificate(plant.authority, "order:me", Ed25519PrivateKey.generate().public_key())


def with_another_kind_of_key(plant: Plant) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return certificate(plant.authority, f"order:{new_id(Kind.SIGNER)}", key)


def with_a_key_of_another_role(plant: Plant) -> bytes:
    """A signer of tickets, which relays' keys are near, must not become one of orders."""
    key = plant.authority.signer_keys["ticket"].public_key()
    return certificate(plant.authority, f"order:{new_id(Kind.SIGNER)}", key)


def expired(plant: Plant) -> bytes:
    dates = {"at": plant.authority.now - timedelta(days=3), "life": timedelta(days=2)}
    return certificate(
        plant.authority, f"order:{new_id(Kind.SIGNER)}", Ed25519PrivateKey.generate().public_key(), **dates
    )


def not_begun(plant: Plant) -> bytes:
    dates = {"at": plant.authority.now + timedelta(days=1)}
    return certificate(
        plant.authority, f"order:{new_id(Kind.SIGNER)}", Ed25519PrivateKey.generate().public_key(), **dates
    )


def garbage(plant: Plant) -> bytes:
    return b"garbage"


@pytest.mark.parametrize(
    "made",
    [
        of_another_root, of_another_issuer, without_a_name, with_another_kind_of_key,
        with_a_key_of_another_role, expired, not_begun, garbage,
    ],
)  # fmt: skip
async def test_no_other_certificate_becomes_a_signer(plant: Plant, made: Callable[[Plant], bytes]) -> None:
    authority = plant.authority
    await timed(plant)
    before = plant.process.state.load_pinned()
    good = certificate(authority, f"order:{new_id(Kind.SIGNER)}", Ed25519PrivateKey.generate().public_key())
    authority.send(plant.gateway, Additions(plant.gateway, [], [], [good, made(plant)]))
    await eventually(lambda: "letter.refused" in plant.process.said, "the whole letter is refused")
    assert plant.process.state.load_pinned() == before
    assert authority.found(plant.gateway, "gateway.trust.changed") == []


async def test_a_signer_of_a_role_that_is_not_known_is_left_out_and_the_others_are_added(plant: Plant) -> None:
    """What a later version adds must not keep this one from what it understands; such a signer can say nothing here."""
    authority = plant.authority
    await timed(plant)
    before = plant.process.state.load_pinned().trust.signers
    name = new_id(Kind.SIGNER)
    good = certificate(authority, f"order:{name}", Ed25519PrivateKey.generate().public_key())
    later = certificate(authority, f"root:{new_id(Kind.SIGNER)}", Ed25519PrivateKey.generate().public_key())
    authority.send(plant.gateway, Additions(plant.gateway, [], [], [later, good]))
    await authority.event(plant.gateway, "gateway.trust.changed", what=name)
    assert plant.process.state.load_pinned().trust.signers == {**before, name: good}


async def test_a_known_signer_keeps_its_certificate(plant: Plant) -> None:
    """Another key under a known name would replace it."""
    authority = plant.authority
    await timed(plant)
    before = plant.process.state.load_pinned().trust.signers
    name = f"order:{authority.signer_ids['order']}"
    usurper = certificate(authority, name, Ed25519PrivateKey.generate().public_key())
    ticket = rotate(authority, "ticket")
    authority.send(plant.gateway, Additions(plant.gateway, [], [], [usurper, ticket]))
    await authority.event(plant.gateway, "gateway.trust.changed", what=authority.signer_ids["ticket"])
    after = plant.process.state.load_pinned().trust.signers
    assert after == {**before, authority.signer_ids["ticket"]: ticket}


@pytest.mark.parametrize("role", ["ticket", "acknowledgement"])
async def test_only_a_signer_of_orders_may_add(plant: Plant, role: str) -> None:
    authority = plant.authority
    await timed(plant)
    before = plant.process.state.load_pinned()
    new = certificate(authority, f"order:{new_id(Kind.SIGNER)}", Ed25519PrivateKey.generate().public_key())
    letter = Additions(plant.gateway, [], [], [new])
    authority.deliver(plant.gateway, authority.seal(plant.gateway, authority.signed(letter, role=role)))
    await eventually(lambda: "letter.refused" in plant.process.said)
    assert plant.process.state.load_pinned() == before


async def test_before_the_time_is_known_no_signer_is_added(plant: Plant) -> None:
    """Nobody could say whether its dates are right. It is offered again: the question says that it is missing."""
    authority = plant.authority
    await plant.process.end()
    authority.answers_time = False
    await plant.process.start()
    await authority.linked(plant.gateway)
    new = certificate(authority, f"order:{new_id(Kind.SIGNER)}", Ed25519PrivateKey.generate().public_key())
    spare = Authority(plant.directory / "spare")
    key = authority.trust(plant.gateway).opening_keys[0].__class__("key_2", spare_key(spare))
    authority.opening_keys["key_2"] = spare.opening_keys["key_1"]
    authority.send(plant.gateway, Additions(plant.gateway, [], [key], [new]))
    event = await authority.event(plant.gateway, "gateway.trust.changed")
    assert event.fields == {"added": 1, "what": "key_2"}, "what has no dates is added"


def spare_key(authority: Authority) -> bytes:
    return authority.opening_keys["key_1"].public_key().public_bytes_raw()


async def test_an_expired_signer_is_obeyed_no_more(plant: Plant) -> None:
    authority = plant.authority
    await timed(plant)
    old = authority.signer_ids["order"], authority.signer_keys["order"]
    name, key = new_id(Kind.SIGNER), Ed25519PrivateKey.generate()
    soon = certificate(authority, f"order:{name}", key.public_key(), life=timedelta(days=2))
    authority.send(plant.gateway, Additions(plant.gateway, [], [], [soon]))
    await authority.event(plant.gateway, "gateway.trust.changed", what=name)
    authority.signer_ids["order"], authority.signer_keys["order"] = name, key
    plant.end.permit([plant.asset])
    await works(plant)
    authority.signer_ids["order"], authority.signer_keys["order"] = old
    authority.time_shift_ms = 3 * 86_400_000
    plant.another_end().permit([plant.asset])  # makes the gateway ask, and hear the time
    await authority.event(plant.gateway, "gateway.clock.jumped")
    authority.signer_ids["order"], authority.signer_keys["order"] = name, key
    late = plant.another_end()
    late.permit([plant.asset])
    assert await refusal(late) == "order.unknown"
    assert "was valid until" in plant.process.said


async def test_no_time_beyond_its_signers_life_is_believed(plant: Plant) -> None:
    """Else whoever holds the key of an expired signer could set the clock back to when it was valid, and vice versa."""
    authority = plant.authority
    await timed(plant)
    nonce = authority.gateways[plant.gateway].questions[-1].nonce
    authority.send(plant.gateway, Time(plant.gateway, nonce, authority._unix_ms() + 4000 * 86_400_000))
    await eventually(lambda: "was valid until" in plant.process.said)
    assert authority.found(plant.gateway, "gateway.clock.jumped") == []
