# SPDX-License-Identifier: Apache-2.0
"""Service accounts: made by whoever administers, shown once, bound to a key, and over when they are locked."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from portineria.control import administration_accounts
from portineria.control.access import services as access
from portineria.control.audit.models import Event
from portineria.control.identity import first_run, service_accounts
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import ApiToken, Membership, Person, Role
from portineria.control.identity.way_back import invite_again
from portineria.core.errors import Denied, Invalid, NotFound
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.calling import BASE, Browser, Program
from tests.integration.control.world import World, fresh


def test_a_token_is_made_on_a_page_shown_once_used_and_ended(world: World) -> None:
    owner = signed_in(world.owner, proved=True)
    answer = owner.post("/service-accounts/add/", {"name": "CMMS", "organisation": world.organisation}, follow=True)
    assert "No token yet" in answer.content.decode()
    account = Membership.objects.get(role=Role.SERVICE).person
    page = f"/service-accounts/{account.public_id}/"
    made = owner.post(f"{page}tokens/add/", {"name": "server 1", "days": "30", "operates": "on"})
    # As with invitations: whoever finds a browser open takes nothing out of it.
    again = signed_in(world.owner).get(f"{page}tokens/add/")
    assert again.headers["Location"].startswith("/accounts/2fa/reauthenticate/")
    [token] = set(re.findall(r"portineria_[\w-]{43}", made.content.decode()))
    assert "no-store" in made.headers["Cache-Control"]
    assert token not in shown(owner, page)
    assert token.encode() not in b"".join(bytes(row.token_sha256) for row in ApiToken.objects.all())
    headers = {"Authorization": f"Bearer {token}"}
    me = Client().get(f"{BASE}/me", headers=headers).json()
    assert (me["name"], me["service_account"], me["scopes"]) == ("CMMS", True, ["operate", "read"])
    assert "cut, freeze and lock" in shown(owner, page)
    owner.post(f"{page}tokens/{ApiToken.objects.get().public_id}/end/")
    assert Client().get(f"{BASE}/me", headers=headers).status_code == 401
    told = Event.objects.filter(organisation=world.organisation, code__startswith="identity.api-token").order_by("seq")
    assert [event.code.rpartition(".")[2] for event in told] == ["issued", "used", "revoked"]
    assert {event.actor for event in told} == {world.owner.public_id, account.public_id}


def test_locking_an_account_ends_its_tokens_for_good(world: World) -> None:
    program = Program(world)
    assert program.get("/me").status_code == 200
    browser = signed_in(world.owner)
    browser.post(f"/people/{world.organisation}/{program.account.public_id}/lock/", {"reason": "found on a stick"})
    assert not fresh(program.account).enabled
    refused = program.get("/me")
    assert (refused.status_code, refused.json()["code"]) == (401, "token.invalid")
    assert refused.headers["Content-Type"] == "application/problem+json"
    identity.set_person_enabled(actor=world.owner, person=program.account.public_id, enabled=True, reason="x")
    assert program.get("/me").status_code == 401


def test_a_token_ends_by_itself_and_one_of_a_key_is_nothing_without_it(world: World) -> None:
    program, bound = Program(world), Program(world, bound=True)
    assert bound.get("/me").status_code == 200
    alone = Client().get(f"{BASE}/me", headers={"Authorization": f"Bearer {bound.token}"})
    assert alone.status_code == 401
    headers = bound.headers("GET", f"{BASE}/me", b"")
    assert Client().get(f"{BASE}/me", headers=headers).status_code == 200
    assert Client().get(f"{BASE}/me", headers=headers).json()["code"] == "token.used"
    assert Client().get(f"{BASE}/me?x=1", headers=bound.headers("GET", f"{BASE}/me", b"")).status_code == 401
    stolen = {**program.headers("GET", f"{BASE}/me", b""), "Portineria-Proof": headers["Portineria-Proof"]}
    assert (
        Client().get(f"{BASE}/me", headers={**stolen, "Authorization": f"Portineria {program.token}"}).status_code
        == 401
    )
    past = timezone.now() - timedelta(days=60)
    ApiToken.objects.filter(pk=program.row.pk).update(created_at=past, expires_at=past + timedelta(days=30))
    assert program.get("/me").status_code == 401


def test_nobody_becomes_a_person_through_a_service_account(world: World) -> None:
    """No password, no sign-in, no role of people's; and nobody of lesser rights makes one."""
    account = Program(world).account
    with pytest.raises(first_run.NotAPerson):
        first_run.invite(actor=world.owner, person=account.public_id)
    with pytest.raises(first_run.NotAPerson):
        invite_again(actor=world.owner, person=account.public_id, reason="x")
    row = fresh(account)
    row.set_password("a gatehouse for machines")
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()
    assert not row.is_active
    with pytest.raises(Invalid):
        identity.create_person(
            actor=Operator(), organisation=world.organisation, name="x", email=account.email, role=Role.APPROVER
        )
    with pytest.raises(Invalid):
        identity.create_person(
            actor=Operator(), organisation=world.organisation, name="x", email="x@example.com", role=Role.SERVICE
        )
    for actor, refusal in ((world.operator, Denied), (world.technician, NotFound), (world.stranger, NotFound)):
        with pytest.raises(refusal):
            service_accounts.create_service_account(actor=actor, organisation=world.organisation, name="x")
    browser = Browser(world.operator)
    assert browser.client.get(f"/service-accounts/{account.public_id}/tokens/add/").status_code == 403


def test_a_service_account_never_approves_whoever_asks_in_its_name(world: World) -> None:
    account = Program(world).account
    request = world.request()
    with pytest.raises(Denied):
        access.approve(actor=fresh(account), request=request)
    with pytest.raises(Denied):
        access.create_rule(
            actor=fresh(account), organisation=world.organisation, machines=[world.machine.public_id],
            supplier=world.supplier, needs_approval=False,
        )  # fmt: skip


def test_accounts_and_tokens_are_bounded_and_made_on_the_server_too(world: World) -> None:
    row = administration_accounts.add("Historian", organisation="Owner's plant")
    for _ in range(service_accounts.MOST_TOKENS):
        text, _token = administration_accounts.token(
            "Historian", organisation="", place="vault", days=1, may=["operate"]
        )
    assert Client().get(f"{BASE}/me", headers={"Authorization": f"Bearer {text}"}).json()["name"] == "Historian"
    with pytest.raises(service_accounts.TooManyTokens):
        administration_accounts.token("Historian", organisation="", place="vault", days=1, may=[])
    administration_accounts.end_token("Historian", organisation="", token=_token.public_id)
    for days in (0, 366):
        with pytest.raises(Invalid):
            administration_accounts.token("Historian", organisation="", place="vault", days=days, may=[])
    assert Person.objects.get(pk=row.pk).is_service
