# SPDX-License-Identifier: Apache-2.0
"""WIRE 21: sign-in of a connector through the browser; a token is worth nothing without its key."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from portineria.control.access.models import AccessRequest
from portineria.control.audit.queries import events, views
from portineria.control.identity.authority import Operator
from portineria.control.identity.connector import base64url, revoke_token
from portineria.control.identity.first_run import invite, set_password
from portineria.control.identity.models import AuthorisationCode, ConnectorToken, Person, Role, UsedProof
from portineria.control.identity.queries import has_second_factor, tokens
from portineria.control.identity.services import create_person, set_person_enabled
from portineria.control.identity.way_back import reset_second_factor
from tests.integration.control.browsing import signed_in
from tests.integration.control.world import PASSWORD, TOTP_SECRET, ConnectorEnd, World

pytestmark = pytest.mark.sqlite  # nothing here depends on which database it is

REDIRECT = "http://127.0.0.1:50123/"


@pytest.fixture(autouse=True)
def _no_rate_limit_left_over() -> None:
    cache.clear()


def totp() -> str:
    return str(format_hotp_value(hotp_value(TOTP_SECRET, int(time.time()) // 30)))


def browser(who: Person, *, code: str | None = None) -> Client:
    """Signs in as people do: address and password, then the second factor."""
    set_password(actor=Operator(), person=who.public_id, password=PASSWORD)
    client = Client(HTTP_HOST="localhost:8443")
    client.post("/accounts/login/", {"login": who.email, "password": PASSWORD})
    client.post("/accounts/2fa/authenticate/", {"code": code or totp()})
    return client


def asked(key: Ed25519PrivateKey, verifier: str) -> dict[str, str]:
    return {
        "challenge": base64url(hashlib.sha256(verifier.encode()).digest()),
        "redirect": REDIRECT,
        "state": "s1",
        "key": base64url(key.public_key().public_bytes_raw()),
        "name": "laptop of a technician",
    }


def test_the_whole_way_from_the_browser_to_a_token(world: World) -> None:
    client, key, verifier = browser(world.technician), Ed25519PrivateKey.generate(), secrets.token_urlsafe(32)
    page = client.get("/connect/authorize", asked(key, verifier))
    assert page.status_code == 200
    assert b"laptop of a technician" in page.content
    assert "form-action 'self' http:" in page.headers["Content-Security-Policy"]
    assert b"127.0.0.1" in page.content
    answer = client.post("/connect/authorize", asked(key, verifier))
    assert answer.status_code == 302
    back = urlsplit(answer.headers["Location"])
    assert (back.scheme, back.netloc) == ("http", "127.0.0.1:50123")
    fields = parse_qs(back.query)
    assert fields["state"] == ["s1"]
    end = ConnectorEnd(world.technician)
    end.key = key
    got = end.redeem(fields["code"][0], verifier).json()
    assert got["person"] == world.technician.public_id
    end.token = got["token"]
    me = end.call("GET", "/me").json()
    assert me["organisations"][0]["role"] == "technician"
    assert me["trust"]["root"]


def test_without_sign_in_the_page_leads_there_and_without_second_factor_to_its_set_up(world: World) -> None:
    assert Client().get("/connect/authorize").headers["Location"].startswith("/accounts/login/")
    client = browser(world.technician)
    Authenticator.objects.filter(user=world.technician).delete()
    for path in ("/connect/authorize", "/"):
        assert client.get(path).headers["Location"] == "/accounts/2fa/"
    assert client.get("/accounts/2fa/").status_code == 200


def test_whoever_is_invited_sets_a_password_and_then_a_second_factor(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    invited = create_person(
        actor=world.owner, organisation=world.organisation, name="New", email="new@example.com", role=Role.OPERATOR
    )
    link = invite(actor=world.owner, person=invited.public_id)
    client = Client(HTTP_HOST="localhost:8443")
    form = client.get(link).headers["Location"]
    client.post(form, {"password1": PASSWORD, "password2": PASSWORD})
    assert Client(HTTP_HOST="localhost:8443").get(link).status_code == 200  # used up: a page that says so
    assert client.get("/").headers["Location"] == "/accounts/2fa/"
    client.get("/accounts/2fa/totp/activate/")
    secret = client.session["mfa.totp.secret"]
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/accounts/2fa/totp/activate/", {"code": code})
    assert has_second_factor(invited)
    [added] = events(world.owner, code="identity.second-factor.added", person=invited.public_id).filter(
        actor=invited.public_id
    )[:1]
    assert added.person == invited.public_id


def test_a_wrong_second_factor_signs_nobody_in_and_is_recorded(world: World) -> None:
    client = browser(world.technician, code="000000")
    assert client.get("/connect/authorize").headers["Location"].startswith("/accounts/login/")
    set_password(actor=Operator(), person=world.technician.public_id, password=PASSWORD)
    Client().post("/accounts/login/", {"login": world.technician.email, "password": "wrong"})
    [failed] = views(events(world.owner, code="identity.person.sign-in-failed"))
    assert failed.fields["email"] == world.technician.email


def test_a_sign_in_is_recorded(world: World) -> None:
    browser(world.technician)
    [signed_in] = views(events(world.owner, code="identity.person.signed-in"))
    assert signed_in.fields["person"] == world.technician.public_id
    assert signed_in.fields["address"] == "127.0.0.1"


def test_nobody_signs_up(world: World) -> None:
    for path in ("/accounts/signup/", "/accounts/password/reset/", "/accounts/email/"):
        assert Client().get(path).status_code == 404


def test_secrets_of_second_factors_are_wrapped_in_the_database(world: World) -> None:
    [row] = Authenticator.objects.filter(user=world.technician)
    assert TOTP_SECRET not in str(row.data)


@pytest.mark.parametrize(
    "wrong", [{"redirect": "http://evil.example/"}, {"key": "AAAA"}, {"challenge": "x"}, {"name": ""}]
)
def test_a_page_that_would_send_the_code_elsewhere_is_not_shown(world: World, wrong: dict[str, str]) -> None:
    client = browser(world.technician)
    fields = asked(Ed25519PrivateKey.generate(), "v") | wrong
    assert client.get("/connect/authorize", fields).status_code == 422
    assert client.post("/connect/authorize", fields).status_code == 422
    assert not AuthorisationCode.objects.exists()


# -- codes ------------------------------------------------------------------------------------------------------


def test_a_code_works_once_for_its_own_connector_within_a_minute(world: World) -> None:
    end = ConnectorEnd(world.technician)
    assert end.answer.status_code == 200
    client, verifier = browser(world.technician), "v" * 43

    def code() -> str:
        answer = client.post("/connect/authorize", asked(end.key, verifier))
        return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]

    good = code()
    assert end.redeem(good, verifier).status_code == 200
    refusals = [end.redeem(good, verifier), end.redeem("unknown", verifier), end.redeem(code(), "another verifier")]
    refusals.append(end.redeem(code(), verifier, key=Ed25519PrivateKey.generate()))
    late = code()
    AuthorisationCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    refusals.append(end.redeem(late, verifier))
    assert {(r.status_code, r.json()["code"]) for r in refusals} == {(401, "token.code")}
    assert len({r.content for r in refusals}) == 1


def test_a_code_that_was_tried_with_a_wrong_verifier_is_used_up(world: World) -> None:
    end = ConnectorEnd(world.technician)
    client = browser(world.technician)
    answer = client.post("/connect/authorize", asked(end.key, "right"))
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    assert end.redeem(code, "wrong").status_code == 401
    assert end.redeem(code, "right").status_code == 401


@pytest.mark.parametrize("meanwhile", ["locked", "no second factor"])
def test_a_code_is_worth_nothing_when_its_person_could_not_get_one_any_more(world: World, meanwhile: str) -> None:
    end = ConnectorEnd(world.technician)
    answer = browser(world.technician).post("/connect/authorize", asked(end.key, "right"))
    code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
    if meanwhile == "locked":
        Person.objects.filter(pk=world.technician.pk).update(disabled_at=timezone.now())
    else:
        Authenticator.objects.filter(user=world.technician).delete()
    refused = end.redeem(code, "right")
    assert (refused.status_code, refused.json()["code"]) == (401, "token.code")


# -- tokens -----------------------------------------------------------------------------------------------------


def test_a_stolen_token_without_the_key_is_worth_nothing(world: World) -> None:
    end = ConnectorEnd(world.technician)
    thief = ConnectorEnd(world.rival)
    thief.token = end.token
    assert thief.call("GET", "/me").status_code == 401


def test_the_proof_covers_method_path_query_and_body(world: World) -> None:
    end = ConnectorEnd(world.technician)
    headers = end.headers("GET", "/api/v1/machines", b"")
    assert Client().get("/api/v1/machines", headers=headers).status_code == 200
    assert Client().get("/api/v1/machines?x=1", headers=headers).status_code == 401
    assert Client().get("/api/v1/requests", headers=headers).status_code == 401
    assert Client().post("/api/v1/requests", "{}", content_type="application/json", headers=headers).status_code == 401


def test_a_clock_that_is_off_is_told_so_with_the_right_time(world: World) -> None:
    end = ConnectorEnd(world.technician)
    for skew, status in ((-100, 200), (100, 200), (-200, 401), (200, 401)):
        headers = end.headers("GET", "/api/v1/me", b"", at_ms=int((time.time() + skew) * 1000))
        answer = Client().get("/api/v1/me", headers=headers)
        assert answer.status_code == status
        assert status == 200 or answer.json()["code"] == "token.clock"


def test_a_token_ends_by_time_revocation_and_reset_of_the_second_factor(world: World) -> None:
    first, second, third = (ConnectorEnd(world.technician) for _ in range(3))
    row = ConnectorToken.objects.order_by("pk").first()
    assert row is not None
    past = timezone.now() - timedelta(seconds=1)
    ConnectorToken.objects.filter(pk=row.pk).update(created_at=past - timedelta(hours=12), expires_at=past)
    assert first.call("GET", "/me").status_code == 401
    second_id = ConnectorToken.objects.order_by("pk")[1].public_id
    revoke_token(actor=world.technician, token=second_id)
    assert second.call("GET", "/me").status_code == 401
    assert third.call("GET", "/me").status_code == 200
    reset_second_factor(actor=world.owner, person=world.technician.public_id)
    assert third.call("GET", "/me").status_code == 401


def test_whoever_is_locked_has_no_token_neither_meanwhile_nor_afterwards(world: World) -> None:
    end, other = ConnectorEnd(world.technician), ConnectorEnd(world.rival)
    Person.objects.filter(pk=world.rival.pk).update(disabled_at=timezone.now())  # whatever became of the token's row
    assert other.call("GET", "/me").json()["code"] == "token.invalid"
    whom = world.technician.public_id
    set_person_enabled(actor=world.owner, person=whom, enabled=False, reason="laptop stolen")
    assert end.call("GET", "/me").json()["code"] == "token.invalid"
    set_person_enabled(actor=world.owner, person=whom, enabled=True, reason="another laptop")
    assert end.call("GET", "/me").json()["code"] == "token.invalid"


def test_a_token_cannot_approve(world: World) -> None:
    from portineria.control.api import api

    paths = api.get_openapi_schema()["paths"]
    assert [path for path in paths if "approv" in path or "admit" in path or "extend" in path] == []
    request = world.request()
    end = ConnectorEnd(world.owner)
    for path in (f"/requests/{request}/approve", f"/requests/{request}"):
        assert end.call("POST", path, {"approved": True}).status_code in (404, 405)
    assert AccessRequest.objects.get(public_id=request).state == "pending"


def resent(end: ConnectorEnd, method: str, path: str, body: bytes = b"") -> list[tuple[int, str]]:
    """The very same request three times."""
    headers = end.headers(method, path, body)
    answers = [Client().generic(method, path, body, content_type="application/json", headers=headers) for _ in range(3)]
    return [(answer.status_code, answer.json().get("code", "")) for answer in answers]


def test_a_signed_request_counts_once(world: World) -> None:
    end = ConnectorEnd(world.technician)
    asked_for = {"machine": world.machine.public_id, "reason": "belt", "minutes": 5}
    answers = resent(end, "POST", "/api/v1/requests", json.dumps(asked_for).encode())
    assert answers[0][0] in (200, 201)
    assert answers[1:] == [(401, "token.used")] * 2
    assert AccessRequest.objects.count() == 1
    assert resent(end, "GET", "/api/v1/me") == [(200, ""), (401, "token.used"), (401, "token.used")]


def test_what_was_used_is_remembered_as_long_as_its_time_would_fit(world: World) -> None:
    end = ConnectorEnd(world.technician)
    resent(end, "POST", "/api/v1/sessions", b"{}")
    assert UsedProof.objects.count() == 1
    UsedProof.objects.update(at=timezone.now() - timedelta(seconds=241))
    resent(end, "POST", "/api/v1/sessions", b"{}")
    assert UsedProof.objects.count() == 1


def test_another_password_ends_the_connectors(world: World) -> None:
    end = ConnectorEnd(world.technician)
    assert end.call("GET", "/me").status_code == 200
    set_password(actor=Operator(), person=world.technician.public_id, password="another long one 9")
    assert end.call("GET", "/me").json()["code"] == "token.invalid"
    assert tokens(Person.objects.get(pk=world.technician.pk)) == []


def test_a_second_factor_that_is_taken_away_ends_the_connectors(world: World) -> None:
    end = ConnectorEnd(world.technician)
    Authenticator.objects.create(user=world.technician, type=Authenticator.Type.WEBAUTHN, data={"name": "key"})
    signed_in(world.technician, proved=True).post("/accounts/2fa/totp/deactivate/")
    assert has_second_factor(world.technician)  # the other one: it is the removal that ends them
    assert end.call("GET", "/me").json()["code"] == "token.invalid"


def test_an_address_that_cannot_be_read_is_refused_and_breaks_nothing(world: World) -> None:
    client = browser(world.technician)
    answer = client.get("/connect/authorize", asked(Ed25519PrivateKey.generate(), "v") | {"redirect": "http://["})
    assert answer.status_code == 422
