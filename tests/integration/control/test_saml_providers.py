# SPDX-License-Identifier: Apache-2.0
"""SAML providers of organisations: the same people, groups and ends as by OpenID Connect, and another way to lie."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount

from portineria.control.identity import first_run, providers
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Person, Role
from portineria.control.identity.provider_models import IdentityProvider
from portineria.control.identity.providers import NotReached, add_saml
from portineria.control.identity.said_factor import AUTHN_METHODS
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.outside import browser, onward
from tests.integration.control.outside_saml import (
    SamlEnd,
    Says,
    asked_in,
    back,
    request_in,
    saml_provider,
)
from tests.integration.control.world import TOTP_SECRET, World, fresh

pytestmark = pytest.mark.sqlite  # what happens in the database is what happens by OpenID Connect

TINA = "tina@plant.example"
TRUTH = Says(attributes={"mail": [TINA], "name": ["Tina Weber"], "member": ["presses", "all"]})
LIES = {
    "signed by another key": {"key": 1}, "not signed": {"signed": "nothing"}, "for another audience": {"audience": "x"},
    "by another issuer": {"issuer": "https://login.example"}, "to another address": {"destination": "https://a.example/"},
    "of another sign-in": {"answers": "ONELOGIN_x"},
    "of another sign-in, with ours around it": {"answers": "ONELOGIN_y"},
    "of any sign-in, with ours around it": {"answers": "-"},
    "expired": {"shift_s": -1200}, "not yet valid": {"shift_s": 1200},
    "by a name for one day": {"form": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"},
}  # fmt: skip


@pytest.fixture(scope="module")
def end() -> Iterator[SamlEnd]:
    with saml_provider() as one:
        yield one


def added(w: World, end: SamlEnd) -> str:
    row = add_saml(
        actor=w.owner, organisation=w.organisation, name="SAML", address=f"{end.entity}/metadata",
        groups_claim="member", domains=["plant.example"],
    )  # fmt: skip
    providers.confirm_domain(actor=Operator(), provider=row.public_id, domain="plant.example")
    providers.map_group(
        actor=w.owner, provider=row.public_id, group="presses", role=Role.TECHNICIAN, supplier=w.supplier
    )
    return row.public_id


def sign_in(end: SamlEnd, provider: str, says: Says, client: Any = None) -> Any:
    client = client or browser()
    there = onward(client.post("/accounts/company/", {"login": TINA}))
    if says.answers in ("ONELOGIN_y", "-"):  # the unsigned part names the request that this browser made
        says = replace(says, around=asked_in(there)[0])
    return back(client, f"/accounts/company/{provider}/callback/", end.answer(there, says))


def test_people_come_in_by_saml_and_a_lie_lets_nobody_in(world: World, end: SamlEnd) -> None:
    w = world
    provider = added(w, end)
    page = f"/accounts/company/{provider}/callback/"
    for name, lie in LIES.items():
        answer = sign_in(end, provider, replace(TRUTH, **lie))  # type: ignore[arg-type]
        assert (answer.status_code, "does not prove" in answer.content.decode()) == (403, True), name
    entities = b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    for garbage in ("", "%%%", base64.b64encode(b"<a/>").decode(), base64.b64encode(entities).decode()):
        assert back(browser(), page, garbage).status_code == 403, garbage
    assert not Person.objects.filter(email=TINA).exists()
    for signed in ("assertion", "response", "both"):
        assert "Location" in sign_in(end, provider, replace(TRUTH, signed=signed, shift_s=-60)).headers, signed
    tina = Person.objects.get(email=TINA)
    assert (tina.name, tina.memberships.get().role, SocialAccount.objects.get().uid) == (
        "Tina Weber",
        "technician",
        "tina",
    )
    first_run.set_totp(actor=Operator(), person=tina.public_id, secret=TOTP_SECRET)
    client = browser()
    there = onward(client.post("/accounts/company/", {"login": TINA}))
    response = end.answer(there, TRUTH)
    assert back(browser(), page, response).status_code == 403  # brought by another browser
    assert back(client, page, response).headers["Location"] == "/accounts/2fa/authenticate/"
    assert back(client, page, response).status_code == 403  # once more
    overage = {"http://schemas.microsoft.com/claims/groups.link": ["https://graph.example"], "mail": [TINA]}
    assert "more groups" in sign_in(end, provider, replace(TRUTH, attributes=overage)).content.decode()
    assert fresh(tina).member_of
    assert (
        "None of your groups" in sign_in(end, provider, replace(TRUTH, attributes={"member": ["all"]})).content.decode()
    )
    assert not fresh(tina).member_of
    assert client.get(page).status_code == 404  # an OpenID provider's way
    assert b"AssertionConsumerService" in client.get(f"/accounts/company/{provider}/metadata/").content


def test_a_second_factor_is_as_old_as_the_assertion_says(world: World, end: SamlEnd) -> None:
    w, provider = world, added(world, end)
    methods = {AUTHN_METHODS: ["http://schemas.microsoft.com/claims/multipleauthn"]}
    shown_ = replace(TRUTH, attributes=TRUTH.attributes | methods, proved_s=-600)

    def place(says: Says) -> str:
        client = browser()
        sign_in(end, provider, says, client)
        return str(client.get("/").headers.get("Location"))

    assert place(shown_) == "/accounts/2fa/"  # by a provider that may not
    providers.set_factor(actor=w.owner, provider=provider, counts=True)
    for lie in (TRUTH, replace(shown_, proved_s=700)):
        assert place(lie) == "/accounts/2fa/", lie
    assert place(replace(shown_, statements=2)) == "/accounts/login/?next=/"  # nobody comes in by such an answer
    sign_in(end, provider, shown_, client := browser())
    assert client.get("/").status_code == 200
    [entry] = [one for one in client.session["account_authentication_methods"] if one["method"] == "company-factor"]
    assert 595 < time.time() - entry["proved_at"] < 660

    def prove(says: Says) -> Any:
        there = onward(client.post("/accounts/company/prove/", {"provider": provider, "next": "/account/"}))
        assert 'ForceAuthn="true"' in request_in(there)
        return back(client, f"/accounts/company/{provider}/callback/", end.answer(there, says))

    assert "did not ask" in prove(shown_).content.decode()
    assert prove(replace(shown_, proved_s=0)).headers["Location"] == "/account/"
    # Where an owner names levels they are asked for, and alone count.
    level = "https://refeds.org/profile/mfa"
    providers.set_factor(actor=w.owner, provider=provider, counts=True, levels=level)
    assert client.get("/").headers["Location"].startswith("/accounts/login/")  # under other terms everybody anew
    assert place(shown_) == "/accounts/2fa/"
    there = onward(browser().post("/accounts/company/", {"login": TINA}))
    assert f"<saml:AuthnContextClassRef>{level}<" in request_in(there)
    assert place(replace(TRUTH, level=level)) == "None"


def test_an_owner_adds_a_saml_provider_by_its_metadata_and_reads_them_anew(world: World, end: SamlEnd) -> None:
    w, owner = world, signed_in(world.owner)
    assert "Address of the metadata" in shown(owner, "/providers/add/?kind=saml")
    form = {"name": "SAML", "organisation": w.organisation, "address": "http://127.0.0.1:9/", "groups_claim": "member",
            "domain": ""}  # fmt: skip
    assert "not reached" in owner.post("/providers/add/?kind=saml", form).content.decode()
    owner.post("/providers/add/?kind=saml", {**form, "address": end.entity})
    row = IdentityProvider.objects.get()
    page = f"/providers/{row.public_id}/"
    assert (row.issuer, "/metadata/" in shown(owner, page)) == (end.entity, True)
    before = row.settings["certificates"]
    end.be(key=1)
    owner.post(page + "refresh/")
    row.refresh_from_db()
    assert row.settings["certificates"] != before
    end.be(entity="https://other.example")
    with pytest.raises(NotReached):
        providers.refresh_saml(actor=w.owner, provider=row.public_id)
    end.be()
    assert signed_in(w.operator).post(page + "refresh/").status_code == 403
    assert signed_in(w.stranger).post(page + "refresh/").status_code == 404
