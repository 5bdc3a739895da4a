# SPDX-License-Identifier: Apache-2.0
"""WIRE 5: the code authenticates both sides, also with somebody in the middle who opens the outer TLS."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from portineria.control.audit.queries import events
from portineria.control.estate import enrolment as admission
from portineria.control.estate.models import EnrolmentCode, Gateway
from portineria.control.identity.connector import base64url, unbase64
from portineria.core.errors import NotFound
from portineria.wire.certificate import GATEWAY_LIFE, check_issuer, check_leaf, load_certificate
from portineria.wire.enrolment import TRUST, new_code, split_code
from portineria.wire.envelope import BadSignature
from portineria.wire.frame import BadFrame
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.world import GatewayEnd, World, fresh

pytestmark = pytest.mark.sqlite  # nothing here depends on which database it is

REFUSED = ("enrolment.code", 404)


def outcome(response) -> tuple[str, int]:
    return response.json()["code"], response.status_code


@pytest.fixture
def code(world: World) -> str:
    return admission.offer_enrolment(actor=world.owner, plant=world.plant)[0]


def test_both_sides_prove_that_they_know_the_secret_and_the_chain_fits(world: World, code: str) -> None:
    end = GatewayEnd()
    end.accept(code, end.enrol(code).json())
    assert end.trust is not None
    root = load_certificate(end.trust.root)
    for kind, issuer in end.trust.issuers.items():
        check_issuer(load_certificate(issuer), kind=kind, root=root)
    assert end.trust.gateway == end.id
    assert end.certificate().json() == {"state": "waiting", "certificate": None}
    admission.admit_gateway(actor=world.owner, gateway=end.id)
    leaf = unbase64(end.certificate().json()["certificate"], "certificate")
    identity = check_leaf(leaf, kind="gateway", issuer=load_certificate(end.trust.issuers["gateway"]))
    assert (identity.id, identity.spki_sha256) == (end.id, end.spki_sha256)


def test_the_code_never_crosses_the_wire(code: str) -> None:
    response = GatewayEnd().enrol(code)
    sent = response.wsgi_request.body if hasattr(response.wsgi_request, "_body") else b""
    _, secret = split_code(code)
    assert secret not in sent
    assert secret not in response.content


def test_a_request_swapped_on_the_way_is_refused(code: str) -> None:
    attacker = GatewayEnd()
    assert outcome(GatewayEnd().enrol(code, request=attacker.request())) == REFUSED
    assert not Gateway.objects.filter(spki_sha256=attacker.spki_sha256).exists()


@pytest.mark.parametrize("swap", ["root", "relays", "signers"])
def test_a_trust_swapped_on_the_way_is_noticed_by_the_gateway(world: World, code: str, swap: str) -> None:
    end = GatewayEnd()
    answer = end.enrol(code).json()
    trust = unbase64(answer["trust"], "trust")
    genuine = TRUST.decode(trust)
    swaps: dict[str, Any] = {"root": genuine.issuers["gateway"], "relays": [], "signers": {}}
    changed = {swap: swaps[swap]}
    names = genuine.__struct_fields__
    forged = type(genuine)(**({name: getattr(genuine, name) for name in names} | changed))
    answer["trust"] = base64url(TRUST.encode(forged))
    with pytest.raises((BadSignature, BadFrame)):
        end.accept(code, answer)


def test_unknown_wrong_used_and_expired_codes_get_one_and_the_same_answer(world: World, code: str) -> None:
    lookup, _ = split_code(code)
    wrong = f"{lookup}-{new_code()[7:]}"
    unknown = GatewayEnd().enrol(new_code())
    answers = [unknown, GatewayEnd().enrol(wrong)]
    assert GatewayEnd().enrol(code).status_code == 200
    answers.append(GatewayEnd().enrol(code))  # used, by another gateway
    late, row = admission.offer_enrolment(actor=world.owner, plant=world.plant)
    past = timezone.now() - timedelta(seconds=1)
    EnrolmentCode.objects.filter(pk=row.pk).update(created_at=past - timedelta(minutes=15), expires_at=past)
    answers.append(GatewayEnd().enrol(late))
    assert {outcome(answer) for answer in answers} == {REFUSED}
    assert {answer.content for answer in answers} == {unknown.content}


def test_an_answer_that_got_lost_is_given_again_to_the_same_gateway(code: str) -> None:
    end = GatewayEnd()
    first, second = end.enrol(code).json(), end.enrol(code).json()
    assert first == second
    end.accept(code, second)


def test_five_failures_kill_the_code_and_each_is_recorded(world: World, code: str) -> None:
    lookup, _ = split_code(code)
    for _ in range(5):
        assert outcome(GatewayEnd().enrol(f"{lookup}-{new_code()[7:]}")) == REFUSED
    assert outcome(GatewayEnd().enrol(code)) == REFUSED
    assert events(world.owner, code="estate.enrolment.failed").count() == 5


def test_four_failures_do_not(code: str) -> None:
    lookup, _ = split_code(code)
    for _ in range(4):
        GatewayEnd().enrol(f"{lookup}-{new_code()[7:]}")
    assert GatewayEnd().enrol(code).status_code == 200


def test_garbage_is_refused_without_burning_the_code(code: str) -> None:
    assert outcome(GatewayEnd().enrol(code, request=b"\xc1garbage")) == ("enrolment.request", 422)
    assert outcome(GatewayEnd().enrol(code, proof=b"x")) == REFUSED
    assert GatewayEnd().enrol(code).status_code == 200


def test_only_administrators_of_the_plant_offer_codes_and_admit(world: World) -> None:
    for actor in (world.technician, world.rival, world.stranger):
        with pytest.raises(NotFound):
            admission.offer_enrolment(actor=actor, plant=world.plant)
        with pytest.raises(NotFound):
            admission.admit_gateway(actor=actor, gateway=world.gateway.id)


# -- certificates -----------------------------------------------------------------------------------------------


def test_a_certificate_is_given_to_the_holder_of_the_key_only(world: World) -> None:
    assert world.gateway.certificate().status_code == 200
    thief = ec.generate_private_key(ec.SECP256R1())
    stolen, unknown = world.gateway.certificate(by=thief), GatewayEnd(id="gw_aaaaaaaaaaaaaaaa").certificate()
    assert stolen.status_code == 404
    assert stolen.content == unknown.content


def test_a_gateway_in_1970_renews(world: World) -> None:
    age(world, left=timedelta(days=5))
    before = expiry(world)
    assert world.gateway.certificate(at_ms=12).json()["certificate"]
    assert expiry(world) > before


def age(world: World, *, left: timedelta) -> None:
    Gateway.objects.filter(public_id=world.gateway.id).update(certificate_expires_at=timezone.now() + left)


def expiry(world: World) -> datetime:
    ends = Gateway.objects.get(public_id=world.gateway.id).certificate_expires_at
    assert ends is not None
    return ends


def test_an_expired_certificate_renews_within_180_days_and_not_later(world: World) -> None:
    age(world, left=-timedelta(days=31))
    assert world.gateway.certificate().json()["certificate"]
    age(world, left=-timedelta(days=181))
    assert outcome(world.gateway.certificate()) == ("estate.certificate.too-old", 403)


def test_a_young_certificate_is_given_again_unchanged(world: World) -> None:
    first, second = world.gateway.certificate().json(), world.gateway.certificate().json()
    assert first == second
    ends = expiry(world)
    assert ends - timezone.now() > GATEWAY_LIFE - timedelta(minutes=5)


def test_a_new_key_is_vouched_for_by_the_old_one_even_if_the_answer_got_lost(world: World) -> None:
    old, new = world.gateway.tls, ec.generate_private_key(ec.SECP256R1())
    for _ in range(2):
        assert world.gateway.certificate(by=old, tls=new).status_code == 200
    assert Gateway.objects.get(public_id=world.gateway.id).spki_sha256 != world.gateway.spki_sha256
    third = ec.generate_private_key(ec.SECP256R1())
    assert world.gateway.certificate(by=old, tls=third).status_code == 404
    assert world.gateway.certificate(by=new, tls=third).status_code == 200


def test_a_revoked_gateway_gets_no_certificate_and_cannot_be_admitted_again(world: World) -> None:
    admission.revoke_gateway(actor=world.owner, gateway=world.gateway.id, reason="cabinet stolen")
    assert world.gateway.certificate().json() == {"state": "revoked", "certificate": None}
    with pytest.raises(Exception, match="revoked"):
        admission.admit_gateway(actor=fresh(world.owner), gateway=world.gateway.id)


@pytest.mark.parametrize("act", ["refuse", "revoke"])
def test_nobody_is_told_that_a_gateway_reads_the_reason(world: World, act: str) -> None:
    page = shown(signed_in(world.owner), f"/gateways/{world.gateway.id}/{act}/")
    assert "Kept with the event." in page
    assert "the other side reads it" not in page
