# SPDX-License-Identifier: Apache-2.0
"""Sign-in by identity providers of organisations: who comes in as what, who does not, and what ends with them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from datetime import datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import IntegrityError, transaction
from django.utils import timezone

from portineria.control.access import services as access
from portineria.control.audit.models import Event
from portineria.control.audit.queries import events, views
from portineria.control.identity import first_run, offers, providers
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.first_run import set_password
from portineria.control.identity.models import ConnectorToken, Membership, Person, ProvidedFactor, Role
from portineria.control.identity.provider_models import IdentityProvider
from portineria.control.identity.providers import DomainTaken, OpenIdSettings, add_openid
from portineria.control.identity.services import BadField, LastAdministrator
from portineria.control.remote_sessions.services import enforce
from portineria.core.errors import Denied, NotFound
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import Browser
from tests.integration.control.outside import (
    CLIENT,
    Liar,
    back_from,
    browser,
    come_in,
    honest_provider,
    knows,
    lying_provider,
    onward,
    prove,
)
from tests.integration.control.sessions import accepted, again, started
from tests.integration.control.test_connector_sign_in import asked
from tests.integration.control.test_own_account import code_now
from tests.integration.control.world import PASSWORD, TOTP_SECRET, ConnectorEnd, World, fresh
from tests.unit.control import documented_claims as documented

TINA = "tina@plant.example"


@pytest.fixture(scope="module")
def honest() -> Iterator[str]:
    with honest_provider() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def lying() -> Iterator[Liar]:
    with lying_provider() as liar:
        yield liar


@pytest.fixture
def liar(lying: Liar) -> Liar:
    lying.claims, lying.signs, lying.token, lying.document = (
        {"sub": "1", "email": TINA, "groups": ["it"]},
        "honestly",
        None,
        {},
    )
    return lying


def added(w: World, issuer: str, groups: str = "groups") -> str:
    settings = OpenIdSettings(issuer, CLIENT, "secret", groups_claim=groups)
    row = add_openid(
        actor=w.owner, organisation=w.organisation, name="SSO", settings=settings, domains=["Plant.example"]
    )
    providers.confirm_domain(actor=Operator(), provider=row.public_id, domain="plant.example")
    return row.public_id


def told(w: World, code: str) -> list[dict[str, Any]]:
    return [view.fields for event in events(w.owner).filter(code=code) for view in views([event])]


def test_groups_decide_who_somebody_is_and_losing_the_last_ends_everything(linked: World, honest: str) -> None:
    w, client = linked, browser()
    provider = added(w, honest)
    knows(honest, "tina", email=TINA, name="Tina Weber", groups=["presses"])
    assert come_in(client, TINA, "tina").status_code == 403  # no group has a role yet
    assert not Person.objects.filter(email=TINA).exists()
    providers.map_group(actor=w.owner, provider=provider, group="presses", role=Role.TECHNICIAN, supplier=w.supplier)
    providers.map_group(actor=w.owner, provider=provider, group="leads", role=Role.APPROVER)
    assert come_in(client, TINA, "tina").headers["Location"] == "/"
    tina = Person.objects.get(email=TINA)
    assert client.get("/").headers["Location"] == "/accounts/2fa/"  # the second factor of this server is asked for
    first_run.set_totp(actor=Operator(), person=tina.public_id, secret=TOTP_SECRET)
    member = tina.memberships.get()
    assert (member.role, member.supplier is not None, tina.name) == ("technician", True, "Tina Weber")
    assert "invited, no password yet" not in shown(signed_in(w.owner), "/people/?q=tina")
    assert SocialAccount.objects.get(user=tina).extra_data == {}
    w.technician = fresh(tina)
    w.grant()
    session = accepted(w, started(w))
    assert enforce(timezone.now()) == 0
    knows(honest, "tina", email="other@plant.example", groups=["presses", "leads"])
    assert "2fa" in come_in(browser(), TINA, "tina").headers["Location"]  # the same person, by subject
    assert (fresh(tina).memberships.get().role, Person.objects.filter(email="other@plant.example").count()) == (
        "approver",
        0,
    )
    knows(honest, "tina", email=TINA, groups=["presses"])
    come_in(browser(), TINA, "tina")
    knows(honest, "tina", email=TINA, groups=[])
    assert "None of your groups" in come_in(browser(), TINA, "tina").content.decode()
    assert enforce(timezone.now()) == 1
    assert again(session).ending_class == "security"
    assert not fresh(tina).member_of
    assert client.get("/").headers["Location"].startswith("/accounts/login/")
    assert [one["role"] for one in told(w, "identity.membership.vouched")] == ["technician", "approver", "technician"]
    assert told(w, "identity.membership.lapsed")[0]["why"] == "no-role"
    assert [one["why"] for one in told(w, "identity.sign-in.refused")] == ["no-role", "no-role"]


def test_disabling_ends_what_rests_on_a_provider_and_a_local_account_still_works(linked: World, honest: str) -> None:
    w = linked
    provider = added(w, honest)
    providers.map_group(actor=w.owner, provider=provider, group="leads", role=Role.ADMINISTRATOR)
    knows(honest, "anna", email="anna@plant.example", groups=["leads"])
    come_in(client := browser(), "anna@plant.example", "anna")
    anna = Person.objects.get(email="anna@plant.example")
    with pytest.raises(LastAdministrator):  # who administers by a provider's word alone is none to rely on
        identity.set_person_enabled(actor=Operator(), person=w.owner.public_id, enabled=False, reason="x")
    grant = access.approve(actor=fresh(anna), request=w.request(60))
    session = accepted(w, started(w))
    owner = signed_in(w.owner)
    assert "1 membership" in shown(owner, f"/providers/{provider}/switch/")
    owner.post(f"/providers/{provider}/switch/", {"reason": "leaving"})
    assert client.get("/").headers["Location"].startswith("/accounts/login/")
    assert not fresh(anna).member_of
    assert enforce(timezone.now()) == 1
    assert (again(session).ending_class, again(session).end_why) == ("administrative", "no-approval"), grant
    page = browser().post("/accounts/company/", {"login": "anna@plant.example"})
    assert page.headers["Location"] == "/accounts/login/"
    assert "Sign in through your company" not in shown(browser(), "/accounts/login/")
    owner.post(f"/providers/{provider}/switch/", {"reason": "back"})
    come_in(browser(), "anna@plant.example", "anna")
    assert fresh(anna).memberships.get().role == "administrator"
    owner.post(f"/providers/{provider}/withdraw/", {"reason": "gone"})
    assert [IdentityProvider.objects.count(), SocialAccount.objects.count(), fresh(anna).member_of] == [0, 0, []]
    codes = Event.objects.filter(organisation=w.organisation, code__startswith="identity.provider.").order_by("seq")
    assert [one.code.rpartition(".")[2] for one in codes] == ["added", "disabled", "enabled", "withdrawn"]


@pytest.mark.sqlite
def test_while_a_provider_is_down_a_local_account_still_comes_in(world: World) -> None:
    w = world
    with honest_provider() as issuer:
        added(w, issuer)
    client = browser()
    page = client.post("/accounts/company/", {"login": TINA})
    assert page.status_code == 503
    for words in ("sign-in does not answer at the moment", "Try again later. An account of this server still works."):
        assert words in unescape(page.content.decode())
    assert [one["why"] for one in told(w, "identity.sign-in.refused")] == ["unreachable"]
    set_password(actor=Operator(), person=w.technician.public_id, password=PASSWORD)
    client.post("/accounts/login/", {"login": w.technician.email, "password": PASSWORD})
    client.post("/accounts/2fa/authenticate/", {"code": code_now()})
    assert client.get("/account/").status_code == 200


def proven_in(client: Any, w: World) -> datetime | None:
    """When, by what the connector's token says that is signed in from this browser."""
    verifier, w.technician = secrets.token_urlsafe(32), fresh(Person.objects.get(email=TINA))
    end = ConnectorEnd(w.technician)
    end.key = Ed25519PrivateKey.generate()
    given = client.post("/connect/authorize", asked(end.key, verifier))
    assert end.redeem(parse_qs(urlsplit(given["Location"]).query)["code"][0], verifier).status_code == 200
    return ConnectorToken.objects.order_by("-pk")[0].factor_at


def test_a_company_s_second_factor_counts_where_the_owner_says_so_and_is_as_old_as_the_company_says(
    linked: World, honest: str
) -> None:
    w, owner, now = linked, signed_in(linked.owner), int(time.time())
    provider = added(w, honest)
    providers.map_group(actor=w.owner, provider=provider, group="x", role=Role.TECHNICIAN, supplier=w.supplier)
    said: dict[str, Any] = {"email": TINA, "groups": ["x"], "amr": ["pwd", "mfa"]}
    knows(honest, "tina", **said, auth_time=now - 600)
    come_in(before := browser(), TINA, "tina")
    assert before.get("/").headers["Location"] == "/accounts/2fa/"  # said by a provider that may not
    assert not ProvidedFactor.objects.exists()
    owner.post(f"/providers/{provider}/factor/", {"counts": "on"})
    come_in(client := browser(), TINA, "tina")
    assert client.get("/").status_code == 200
    # Only in the browser where it was shown: elsewhere nobody gets as far as making another one by a password.
    for path in ("/", "/accounts/2fa/totp/activate/", "/accounts/password/change/"):
        assert before.get(path).headers["Location"] == "/accounts/company/prove/", path
    assert before.get("/api/rest/v1/me").status_code == 401
    assert client.get("/accounts/2fa/totp/activate/").headers["Location"].startswith("/accounts/company/prove/?next=")
    at = proven_in(client, w)
    assert at is not None
    assert at.timestamp() == now - 600
    knows(honest, "tina", **said, auth_time=None)  # nobody knows when, and it is not the time of the way back
    come_in(client, TINA, "tina")
    assert (client.get("/").status_code, proven_in(client, w)) == (200, None)
    # Anew: the one time that the company did not ask, the other that it did.
    anew = client.get("/connect/authorize", asked(Ed25519PrivateKey.generate(), "x" * 43) | {"fresh": "1"})
    assert anew.headers["Location"].startswith("/accounts/company/prove/?next=%2Fconnect%2Fauthorize")
    for proved in (None, now - 600):
        knows(honest, "tina", **said, auth_time=proved)
        assert "did not ask for your second factor anew" in prove(client, provider, "tina").content.decode()
    knows(honest, "tina", **said | {"amr": ["pwd"]}, auth_time=int(time.time()))
    assert "no second factor of yours that counts" in prove(client, provider, "tina").content.decode()
    knows(honest, "eve", **said, auth_time=int(time.time()))
    assert "somebody else" in prove(client, provider, "eve").content.decode()
    knows(honest, "tina", **said)  # by the provider's own clock
    assert prove(client, provider, "tina", "/account/").headers["Location"] == "/account/"
    assert client.get("/accounts/2fa/totp/activate/").status_code == 200
    assert proven_in(client, w) is not None
    # What was shown carries a session, until it counts no more.
    w.grant()
    session = accepted(w, started(w))
    assert enforce(timezone.now()) == 0
    assert Browser(w.owner).post(f"/identity-providers/{provider}/factor", {"counts": False}).status_code == 200
    assert enforce(timezone.now()) == 1
    assert (again(session).ending_class, again(session).end_why) == ("security", "second-factor")
    assert client.get("/").headers["Location"].startswith("/accounts/login/")
    assert [one["second_factor"] for one in told(w, "identity.provider.factor-changed")] == [False, True]
    assert len(told(w, "identity.second-factor.vouched")) == 1


@pytest.mark.sqlite
def test_levels_decide_where_an_owner_names_them_and_nothing_of_a_time_to_come(world: World, liar: Liar) -> None:
    w, now = world, int(time.time())
    provider = added(w, liar.issuer)
    providers.map_group(actor=w.owner, provider=provider, group="it", role=Role.OPERATOR)
    for hostile in ("a<b", "x" * 401, "\u202e"):
        with pytest.raises(BadField):
            providers.set_factor(actor=w.owner, provider=provider, counts=True, levels=hostile)
    for who, refused in ((w.operator, Denied), (w.stranger, NotFound)):
        with pytest.raises(refused):
            providers.set_factor(actor=who, provider=provider, counts=True)
    providers.set_factor(actor=w.owner, provider=provider, counts=True, levels="gold")
    with pytest.raises(IntegrityError), transaction.atomic():
        IdentityProvider.objects.update(factor_counts=False)
    truth = {**liar.claims, "acr": "gold", "amr": ["mfa"], "auth_time": now - 60}
    for lie in ({"acr": "silver"}, {"acr": ["gold"]}, {"acr": None}, {"auth_time": now + 600}, {"auth_time": 10**400}):
        liar.claims, client = {**truth, **lie}, browser()
        page = client.post("/accounts/company/", {"login": TINA})
        assert parse_qs(urlsplit(onward(page)).query)["acr_values"] == ["gold"]
        back_from(client, liar, page)
        assert client.get("/").headers["Location"] == "/accounts/2fa/", lie
    liar.claims, client = truth, browser()
    back_from(client, liar, client.post("/accounts/company/", {"login": TINA}))
    assert client.get("/").status_code == 200
    # Proved anew by an answer that another browser asked for, by one that was used, and by one for a plain sign-in.
    liar.claims = {**truth, "auth_time": int(time.time())}
    asked_by = client.post("/accounts/company/prove/", {"provider": provider})
    thief = browser()
    back_from(thief, liar, thief.post("/accounts/company/", {"login": TINA}))
    assert back_from(thief, liar, asked_by).status_code == 403
    assert back_from(client, liar, asked_by).headers["Location"] == "/"
    assert back_from(client, liar, asked_by).status_code == 403
    # Whoever belongs to another organisation too shows nothing by this one's provider.
    other = w.stranger.memberships.get().organisation
    Membership.objects.create(person=Person.objects.get(email=TINA), organisation=other, role=Role.TECHNICIAN)
    assert client.get("/").headers["Location"] == "/accounts/2fa/"
    assert client.get("/accounts/company/prove/").status_code == 404


@pytest.mark.sqlite
def test_the_way_to_a_company_is_the_same_for_strangers(world: World, liar: Liar) -> None:
    w = world
    provider, client = added(w, liar.issuer), browser()
    providers.map_group(actor=w.owner, provider=provider, group="it", role=Role.OPERATOR)
    liar.document = {"authorization_endpoint": liar.issuer + "/x"}
    pages = [client.post("/accounts/company/", {"login": f"{who}@PLANT.example"}) for who in ("tina", "nobody")]
    assert {onward(page).partition("?")[0] for page in pages} == {liar.issuer + "/x"}
    elsewhere = [
        client.post("/accounts/company/", {"login": who}) for who in (w.owner.email, "no@other.example", "", "x")
    ]
    assert {(page.status_code, page.headers["Location"]) for page in elsewhere} == {(302, "/accounts/login/")}
    asked = client.post("/accounts/company/", {"login": TINA, "next": "https://evil.example/"})
    assert back_from(client, liar, asked).headers["Location"] == "/"  # not where somebody else wanted
    # Another organisation's claim on the same domain counts for nothing.
    other = w.stranger.memberships.get().organisation.public_id
    settings = OpenIdSettings(liar.issuer, CLIENT)
    theirs = add_openid(actor=w.stranger, organisation=other, name="x", settings=settings, domains=["plant.example"])
    with pytest.raises(DomainTaken):
        providers.confirm_domain(actor=Operator(), provider=theirs.public_id, domain="plant.example")
    providers.release_domain(actor=w.owner, provider=provider, domain="plant.example")
    assert client.post("/accounts/company/", {"login": TINA}).status_code == 302


NOW = int(time.time())
LIES: dict[str, tuple[dict[str, Any], str]] = {
    "signed by another key": ({}, "otherwise"),
    "signed with the public key as a secret": ({}, "symmetrically"),
    "not signed": ({}, "not"),
    "for another client": ({"aud": "other"}, "honestly"),
    "for others besides": ({"aud": [CLIENT, "other"]}, "honestly"),
    "by another issuer": ({"iss": "https://login.example"}, "honestly"),
    "of another sign-in": ({"nonce": "other"}, "honestly"),
    "of no sign-in": ({"nonce": None}, "honestly"),
    "expired": ({"exp": NOW - 120}, "honestly"),
    "not yet valid": ({"nbf": NOW + 9999}, "honestly"),
    "issued in the future": ({"iat": NOW + 9999}, "honestly"),
    "about nobody": ({"sub": None}, "honestly"),
    "about too much": ({"sub": "a" * 300}, "honestly"),
}


@pytest.mark.sqlite
def test_an_answer_that_does_not_prove_itself_lets_nobody_in(world: World, liar: Liar) -> None:
    w, truth = world, dict(liar.claims)
    provider = added(w, liar.issuer)
    providers.map_group(actor=w.owner, provider=provider, group="", role=Role.TECHNICIAN)

    def sign_in(client: Any = None) -> Any:
        client = client or browser()
        return back_from(client, liar, client.post("/accounts/company/", {"login": TINA}))

    for name, (claims, signs) in LIES.items():
        liar.claims, liar.signs = {**truth, **claims}, signs
        answer = sign_in()
        assert (answer.status_code, "does not prove" in answer.content.decode()) == (403, True), name
    liar.claims, liar.signs = truth, "honestly"
    for body in (
        b"",
        b"7",
        b"[]",
        b'{"access_token": 1}',
        b'{"access_token": "x", "id_token": "a.b.c"}',
        b"x" * 600_000,
    ):
        liar.token = body
        assert sign_in().status_code in (403, 503), body[:20]
    liar.token, liar.document = None, {"issuer": "https://login.example"}
    assert browser().post("/accounts/company/", {"login": TINA}).status_code == 403
    assert not Person.objects.filter(email=TINA).exists()
    liar.document, client = {}, browser()
    liar.claims = {**truth, "exp": int(time.time()) - 30, "iat": int(time.time()) + 30}  # clocks differ
    page = client.post("/accounts/company/", {"login": TINA})
    assert back_from(client, liar, page).headers["Location"] == "/"
    assert len(liar.verifier) >= 43  # RFC 7636, 4.1
    tina = Person.objects.get(email=TINA)
    first_run.set_totp(actor=Operator(), person=tina.public_id, secret=TOTP_SECRET)
    assert back_from(client, liar, page).status_code == 403  # the same answer once more
    assert back_from(browser(), liar, client.post("/accounts/company/", {"login": TINA})).status_code == 403
    assert browser().get(f"/accounts/company/{provider}/callback/?error=access_denied&state=x").status_code == 403
    assert browser().get("/accounts/company/idp_aaaaaaaaaaaaaaaa/callback/").status_code == 404
    assert {one["why"] for one in told(w, "identity.sign-in.refused")} == {"unproven", "unreachable"}


def test_an_address_in_a_claim_takes_nobody_s_account_over(world: World, liar: Liar) -> None:
    w = world
    provider = added(w, liar.issuer)
    providers.claim_domain(actor=w.owner, provider=provider, domain="example.com")
    providers.confirm_domain(actor=Operator(), provider=provider, domain="example.com")
    providers.map_group(actor=w.owner, provider=provider, group="it", role=Role.ADMINISTRATOR)

    def claims(**changed: Any) -> Any:
        liar.claims, client = {"sub": "1", **changed}, browser()
        return back_from(client, liar, client.post("/accounts/company/", {"login": TINA})).content.decode()

    assert "is an account with your e-mail address" in claims(email=w.operator.email.upper(), groups=["it"])
    assert "not of a domain" in claims(email="eve@evil.example", groups=["it"])
    assert "gives no e-mail address" in claims(email="eve", groups=["it"])
    fitting = {"iss": liar.issuer, "aud": CLIENT, "iat": NOW, "exp": NOW + 999, "nbf": NOW}
    assert "more groups" in claims(**{**documented.ENTRA_OVERAGE, **fitting})
    assert not SocialAccount.objects.exists()
    # Whoever it is connects it: after proving the account anew, and with the role that it had.
    assert signed_in(w.operator).get(f"/account/providers/{provider}/connect/").status_code == 302
    client, liar.claims = signed_in(w.operator, proved=True), {"sub": "op", "groups": ["it"], "email": TINA}
    page = client.post(f"/account/providers/{provider}/connect/")
    assert back_from(client, liar, page).headers["Location"] == "/account/"
    assert "you may come in by it" in shown(client, "/account/")
    come = browser()
    page = come.post("/accounts/company/", {"login": TINA})
    assert back_from(come, liar, page).headers["Location"] == "/accounts/2fa/authenticate/"
    assert Membership.objects.get(person=w.operator).role == Role.OPERATOR
    # One identity is one person's, and whoever belongs to several organisations comes by none of them.
    other = signed_in(w.approver, proved=True)
    page = other.post(f"/account/providers/{provider}/connect/")
    assert "connected otherwise" in back_from(other, liar, page).content.decode()
    offer(w)
    with pytest.raises(offers.VouchedElsewhere):
        offers.accept(actor=w.operator, organisation=w.stranger.memberships.get().organisation.public_id)
    elsewhere = w.stranger.memberships.get().organisation.public_id
    identity.create_person(
        actor=Operator(), organisation=elsewhere, name="x", email=w.operator.email, role=Role.TECHNICIAN, consented=True
    )
    assert client.get("/").headers["Location"].startswith("/accounts/login/")  # who came by a provider, begins anew
    page = come.post("/accounts/company/", {"login": TINA})
    assert "several organisations" in back_from(come, liar, page).content.decode()


def offer(w: World) -> None:
    identity.create_person(
        actor=w.stranger, organisation=w.stranger.memberships.get().organisation.public_id, name="x",
        email=w.operator.email, role=Role.TECHNICIAN,
    )  # fmt: skip


@pytest.mark.sqlite
def test_an_owner_sets_a_provider_up_tries_it_and_others_look_or_see_nothing(world: World, liar: Liar) -> None:
    w, owner = world, signed_in(world.owner)
    form = {"name": "SSO", "organisation": w.organisation, "address": liar.issuer, "client_id": CLIENT,
            "client_secret": "s3cret", "domain": "plant.example, example.com", "groups_claim": "groups"}  # fmt: skip
    assert "Application" in shown(owner, "/providers/add/")
    for change, said in [
        ({"address": "http://127.0.0.1:9/"}, "not reached"), ({"address": "ftp://x"}, "not reached"),
        ({"domain": "not a domain"}, "after the @"), ({"client_id": "\u202e"}, "as the provider shows it"),
    ]:  # fmt: skip
        assert said in owner.post("/providers/add/", {**form, **change}).content.decode(), change
    liar.document = {"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}
    assert "several directories" in owner.post("/providers/add/", form).content.decode()
    liar.document = {}
    assert not IdentityProvider.objects.exists()
    owner.post("/providers/add/", form)
    row = IdentityProvider.objects.get()
    page = f"/providers/{row.public_id}/"
    assert (row.issuer, b"s3cret" in bytes(row.wrapped), "s3cret" in shown(owner, page)) == (liar.issuer, False, False)
    assert "not confirmed yet" in shown(owner, page)
    assert "for everybody" not in owner.post(page + "groups/", {"group": "", "role": "administrator"}).content.decode()
    assert not row.group_roles.exists()
    owner.post(page + "groups/", {"group": "it", "role": w.supplier})
    given = row.group_roles.get()
    assert (given.role, given.supplier is not None) == ("technician", True)
    tried = back_from(owner, liar, owner.post(page + "try/"))
    assert "would come in" in tried.content.decode()
    liar.claims = {**liar.claims, "groups": ["<script>alert(1)</script>"]}
    tried = back_from(owner, liar, owner.post(page + "try/")).content.decode()
    assert "would not come in" in tried
    assert "<script>alert" not in tried
    assert [SocialAccount.objects.count(), Person.objects.filter(email=TINA).count()] == [0, 0]
    operator = signed_in(w.operator)
    assert "Try it" not in shown(operator, page)
    for act in ("try", "secret", "switch", "withdraw", "groups", "domains", f"groups/{given.pk}/remove"):
        assert operator.post(f"{page}{act}/", {"reason": "x"}).status_code == 403, act
        assert signed_in(w.stranger).post(f"{page}{act}/", {"reason": "x"}).status_code == 404, act
    assert signed_in(w.technician).get("/providers/").status_code == 404
    owner.post(page + "secret/", {"client_secret": "another"})
    owner.post(f"{page}groups/{given.pk}/remove/")
    owner.post(f"{page}domains/example.com/release/")
    assert (row.group_roles.count(), row.domains.count()) == (0, 1)
    with pytest.raises((Denied, NotFound)):
        providers.withdraw(actor=w.operator, provider=row.public_id, reason="x")
    assert [one.get("role", one.get("why")) for one in told(w, "identity.provider.tried")] == ["no-role", "technician"]
