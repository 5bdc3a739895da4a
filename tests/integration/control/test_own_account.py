# SPDX-License-Identifier: Apache-2.0
"""What people do with their own account is in the ledger: passwords, second factors, browsers, failures."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.db import DatabaseError
from django.test import Client
from django.urls import get_resolver

from portineria.control.audit.queries import events, views
from portineria.control.identity import own_factors
from portineria.control.identity.authority import Operator
from portineria.control.identity.first_run import invite, set_password
from portineria.control.identity.models import ConnectorToken, Person, Role
from portineria.control.identity.services import create_person
from tests.integration.control.browsing import signed_in
from tests.integration.control.world import PASSWORD, TOTP_SECRET, ConnectorEnd, World, fresh

pytestmark = pytest.mark.sqlite  # what its pages ask is asked of PostgreSQL by test_every_address

OTHER = "a second gatehouse for machines"


@pytest.fixture(autouse=True)
def _no_rate_limit_left_over() -> None:
    cache.clear()


@pytest.fixture
def person(world: World) -> Person:
    set_password(actor=Operator(), person=world.technician.public_id, password=PASSWORD)
    return fresh(world.technician)


@pytest.fixture
def browser(person: Person) -> Client:
    return signed_in(person, proved=True)


def told(world: World, code: str) -> list[dict[str, Any]]:
    return [view.fields for view in views(events(world.owner, code=code)) if view.actor == world.technician.public_id]


def code_now() -> str:
    return str(format_hotp_value(hotp_value(TOTP_SECRET, int(time.time()) // 30)))


def test_a_changed_password_is_recorded_with_where_from(world: World, person: Person, browser: Client) -> None:
    form = {"oldpassword": PASSWORD, "password1": OTHER, "password2": OTHER}
    assert browser.post("/accounts/password/change/", form).status_code == 302
    assert fresh(person).check_password(OTHER)
    assert told(world, "identity.password.changed") == [{"person": person.public_id, "address": "127.0.0.1"}]


def test_a_refused_password_is_no_change(world: World, browser: Client) -> None:
    form = {"oldpassword": "wrong", "password1": OTHER, "password2": OTHER}
    assert browser.post("/accounts/password/change/", form).status_code == 200
    assert told(world, "identity.password.changed") == []


def test_a_password_that_cannot_be_recorded_stays_as_it_was(
    person: Person, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_more: object) -> None:
        raise DatabaseError("database or disk is full")

    monkeypatch.setattr("portineria.control.identity.adapter.record_for_person", full)
    with pytest.raises(DatabaseError):
        browser.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": OTHER, "password2": OTHER})
    assert fresh(person).check_password(PASSWORD)


def test_a_password_set_with_the_link_of_an_invitation_is_recorded(world: World) -> None:
    invited = create_person(
        actor=world.owner, organisation=world.organisation, name="New", email="new@example.com", role=Role.OPERATOR
    )
    client = Client(HTTP_HOST="localhost")
    form = client.get(invite(actor=world.owner, person=invited.public_id)).headers["Location"]
    client.post(form, {"password1": PASSWORD, "password2": PASSWORD})
    [event] = events(world.owner, code="identity.password.set", person=invited.public_id)
    assert event.actor == invited.public_id


def test_the_operator_who_sets_a_password_is_recorded(world: World, person: Person) -> None:
    [event] = events(world.owner, code="identity.password.set", person=person.public_id)
    assert event.actor == "operator"


def test_a_sign_out_is_recorded(world: World, person: Person, browser: Client) -> None:
    browser.post("/accounts/logout/")
    assert told(world, "identity.person.signed-out") == [{"person": person.public_id, "address": "127.0.0.1"}]
    browser.post("/accounts/logout/")
    assert len(told(world, "identity.person.signed-out")) == 1  # nobody was signed in any more


def test_signing_out_all_others_is_recorded_with_how_many(world: World, person: Person) -> None:
    def real(browser: Client) -> Client:
        browser.get("/account/")  # where it is entered into the list
        return browser

    mine, others = real(signed_in(person)), [real(signed_in(person)) for _ in range(2)]
    mine.post("/accounts/sessions/")
    assert [fields["browsers"] for fields in told(world, "identity.browsers.signed-out")] == [2]
    assert {other.get("/account/").status_code for other in others} == {302}
    mine.post("/accounts/sessions/")
    assert len(told(world, "identity.browsers.signed-out")) == 1


def test_a_passkey_that_is_renamed_and_removed_is_recorded(world: World, person: Person, browser: Client) -> None:
    key = Authenticator.objects.create(
        user=person, type=Authenticator.Type.WEBAUTHN, data={"name": "old", "credential": {}}
    )
    browser.post(f"/accounts/2fa/webauthn/keys/{key.pk}/edit/", {"name": "new"})
    assert [fields["kind"] for fields in told(world, "identity.second-factor.renamed")] == ["webauthn"]
    browser.post(f"/accounts/2fa/webauthn/keys/{key.pk}/remove/")
    assert [fields["kind"] for fields in told(world, "identity.second-factor.removed")] == ["webauthn"]


def test_the_app_is_removed_with_its_recovery_codes_and_the_tokens_end(
    world: World, person: Person, browser: Client
) -> None:
    ConnectorEnd(person)
    browser.post("/accounts/2fa/recovery-codes/generate/")
    assert [fields["kind"] for fields in told(world, "identity.second-factor.added")] == ["recovery-codes"]
    browser.post("/accounts/2fa/recovery-codes/generate/")
    assert told(world, "identity.second-factor.removed") == []  # replaced: one act
    assert len(told(world, "identity.second-factor.added")) == 2
    assert ConnectorToken.objects.filter(person=person, revoked_at__isnull=True).exists()
    browser.post("/accounts/2fa/totp/deactivate/")
    removed = [fields["kind"] for fields in told(world, "identity.second-factor.removed")]
    assert sorted(removed) == ["recovery-codes", "totp"]
    assert not ConnectorToken.objects.filter(person=person, revoked_at__isnull=True).exists()


def test_the_app_is_added_with_recovery_codes(world: World, person: Person, browser: Client) -> None:
    Authenticator.objects.filter(user=person).delete()
    browser.get("/accounts/2fa/totp/activate/")
    secret = browser.session["mfa.totp.secret"]
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    browser.post("/accounts/2fa/totp/activate/", {"code": code})
    added = [fields["kind"] for fields in told(world, "identity.second-factor.added")]
    assert sorted(added) == ["recovery-codes", "totp"]


def test_a_factor_whose_change_cannot_be_recorded_stays(
    person: Person, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_more: object) -> None:
        raise DatabaseError("database or disk is full")

    monkeypatch.setattr(own_factors, "record_for_person", full)
    with pytest.raises(DatabaseError):
        browser.post("/accounts/2fa/totp/deactivate/")
    assert Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).exists()


@pytest.mark.parametrize("address", ["/accounts/2fa/authenticate/", "/accounts/2fa/reauthenticate/"])
def test_a_wrong_second_factor_is_recorded(world: World, person: Person, address: str) -> None:
    client = signed_in(person) if "reauth" in address else Client(HTTP_HOST="localhost")
    if "reauth" not in address:
        client.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    client.post(address, {"code": "000000" if code_now() != "000000" else "111111"})
    [fields] = told(world, "identity.second-factor.failed")
    assert (fields["kind"], fields["address"]) == ("totp", "127.0.0.1")


def test_a_wrong_password_where_it_is_asked_again_is_recorded(world: World, person: Person) -> None:
    signed_in(person).post("/accounts/reauthenticate/", {"password": "wrong"})
    assert len(told(world, "identity.person.sign-in-failed")) == 1


# Every page of the sign-in library that is reachable, and the event of what is done there. An update that brings
# another one fails here.
ACTS = {
    "account_login": "identity.person.signed-in",
    "account_logout": "identity.person.signed-out",
    "account_reauthenticate": "identity.person.sign-in-failed",
    "account_change_password": "identity.password.changed",
    "account_set_password": "identity.password.changed",
    "account_reset_password_from_key": "identity.password.set",
    "mfa_authenticate": "identity.second-factor.failed",
    "mfa_reauthenticate": "identity.second-factor.failed",
    "mfa_login_webauthn": "identity.person.signed-in",
    "mfa_activate_totp": "identity.second-factor.added",
    "mfa_deactivate_totp": "identity.second-factor.removed",
    "mfa_generate_recovery_codes": "identity.second-factor.added",
    "mfa_add_webauthn": "identity.second-factor.added",
    "mfa_remove_webauthn": "identity.second-factor.removed",
    "mfa_edit_webauthn": "identity.second-factor.renamed",
    "usersessions_list": "identity.browsers.signed-out",
}
NO_ACT = {  # they show something, or prove once more who is there
    "mfa_index", "mfa_view_recovery_codes", "mfa_download_recovery_codes", "mfa_list_webauthn",
    "mfa_reauthenticate_webauthn", "account_reset_password_from_key_done",
    "account_confirm_login_code",  # codes by mail are switched off: back to the sign-in
}  # fmt: skip
ABSENT = {
    "account_signup", "account_email", "account_email_verification_sent", "account_confirm_email",
    "account_reset_password", "account_reset_password_done", "account_inactive",
    "account_request_reauthentication_code", "account_confirm_reauthentication_code",
}  # fmt: skip


def names_of_the_library() -> dict[str, str]:
    """Name → an address; those that the library's own patterns give."""
    found = get_resolver().reverse_dict
    names = [name for name in found if isinstance(name, str) and name.startswith(("account_", "mfa_", "usersessions"))]
    return {name: "/" + re.sub(r"%\(\w+\)s", "1", found.getlist(name)[0][0][0][0]) for name in names}


def test_every_page_of_the_sign_in_library_is_known_with_its_event() -> None:
    assert names_of_the_library().keys() == {*ACTS, *NO_ACT, *ABSENT}


@pytest.mark.parametrize("name", sorted(ABSENT))
def test_what_is_not_offered_is_absent(browser: Client, name: str) -> None:
    assert browser.get(names_of_the_library()[name]).status_code == 404
    assert browser.post(names_of_the_library()[name]).status_code == 404
