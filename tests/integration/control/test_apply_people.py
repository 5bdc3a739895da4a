# SPDX-License-Identifier: Apache-2.0
"""People in a declaration: invited once, asked when they are known already, and masters of their own account."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portineria.control.audit.models import Event
from portineria.control.declaration.document import parse_declaration
from portineria.control.declaration.operation import carry_out, propose
from portineria.control.identity import first_run, offers
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.first_run import HasPassword, NobodyThere
from portineria.control.identity.models import Membership, Organisation, Person, Role
from tests.integration.control.declared import ADDED, HEAD, PERSON, applied, faults, proposal
from tests.integration.control.world import World, fresh


def test_the_invitation_opens_the_page_where_a_password_is_set(world: World) -> None:
    (address,) = applied(ADDED).values()
    page = Client().get(address.removeprefix("http://localhost:8443"), follow=True)
    assert page.status_code == 200
    assert b'type="password"' in page.content


def test_an_invitation_that_is_made_again_ends_the_one_before(world: World) -> None:
    (first,) = (address.removeprefix("http://localhost:8443") for address in applied(ADDED).values())
    second = first_run.invite_address(actor=Operator(), email=" Newcomer@example.com ")
    assert b'type="password"' not in Client().get(first, follow=True).content
    assert b'type="password"' in Client().get(second, follow=True).content
    invited = Event.objects.filter(code="identity.person.invited").order_by("seq")
    assert [event.actor for event in invited] == ["operator", "operator"]
    newcomer = Person.objects.get(email="newcomer@example.com")
    first_run.set_password(actor=Operator(), person=newcomer.public_id, password="a long enough pass phrase")
    with pytest.raises(HasPassword):
        first_run.invite_address(actor=Operator(), email="newcomer@example.com")
    with pytest.raises(NobodyThere):
        first_run.invite_address(actor=Operator(), email="nobody@example.com")


def test_a_changed_role_ends_one_membership_and_begins_another(world: World) -> None:
    seen = proposal(PERSON.format("operator", "approver"))
    assert seen.changed == ("person operator@example.com: operator → approver",)
    assert carry_out(seen) == {}
    assert fresh(world.operator).role_in(Organisation.objects.get(public_id=world.organisation).pk) is Role.APPROVER
    codes = list(Event.objects.order_by("-pk").values_list("code", flat=True)[:2])
    assert codes == ["identity.membership.added", "identity.membership.removed"]


@pytest.mark.sqlite
def test_a_suppliers_person_stays_until_a_day_and_somebody_answers_for_them(world: World) -> None:
    firm = '[[supplier]]\nname = "Presses & Co"\n'
    declared = PERSON.format("technician", "technician") + 'supplier = "Presses & Co"\n'
    until = timezone.now().date() + timedelta(days=50)
    agreed = f'until = {until}\nsponsor = "operator@example.com"\n'
    seen = proposal(firm + declared + agreed)
    assert seen.changed == (
        f"person technician@example.com: until {timezone.now().date() + timedelta(days=365)} → {until}",
        "person technician@example.com: nobody → operator@example.com answers for them",
    )
    carry_out(seen)
    row = Membership.objects.get(person=world.technician)
    assert (row.last_day, row.sponsor) == (until, world.operator)
    assert proposal(firm + declared + agreed).changed == ()
    assert proposal(firm + declared).changed == ()  # what is left out stays as it is
    new = PERSON.format("newcomer", "technician") + 'supplier = "Presses & Co"\nsponsor = "boss@example.com"\n'
    applied(firm + new + PERSON.format("boss", "operator"))
    assert Membership.objects.get(person__email="newcomer@example.com").sponsor == Person.objects.get(name="boss")
    other = declared.replace("Presses & Co", "Rival presses")
    applied('[[supplier]]\nname = "Rival presses"\n' + other)
    assert Membership.objects.get(person=world.technician).sponsor == world.operator  # goes on
    nobody = declared + 'sponsor = "rival@example.com"\n'
    assert faults(firm + nobody) == ["person[0].sponsor: rival@example.com is not one of the organisation's own people"]
    assert faults(PERSON.format("operator", "operator") + agreed) == ["person[0].sponsor: of people of a supplier only"]


def test_an_administrator_hands_over_but_never_changes_their_own_role(world: World) -> None:
    handing = PERSON.format("owner", "operator") + PERSON.format("approver", "administrator")
    assert faults(handing) == [
        "person[0].role: whoever acts does not change their own; name somebody else with --as",
    ]
    applied(PERSON.format("approver", "administrator"))
    applied(handing, administrator="approver@example.com")
    assert propose(parse_declaration(HEAD.encode())).administrator == "approver@example.com"


def test_a_person_of_another_organisation_is_asked_and_joins_without_an_invitation(world: World) -> None:
    seen = proposal(PERSON.format("stranger", "operator"))
    assert seen.added[0].endswith("is known here already and asked first, under My account")
    assert carry_out(seen) == {}
    assert fresh(world.stranger).memberships.count() == 1
    again = proposal(PERSON.format("stranger", "operator"))
    assert (again.empty, again.waiting) == (True, ("person stranger@example.com was asked and has not answered",))
    offers.accept(actor=world.stranger, organisation=world.organisation)
    assert fresh(world.stranger).memberships.count() == 2


def test_a_person_keeps_what_is_their_own(world: World) -> None:
    identity.set_person_enabled(actor=Operator(), person=world.operator.public_id, enabled=False, reason="left")
    seen = proposal(PERSON.format("operator", "operator") + 'language = "it"\n')
    assert seen.empty
    assert seen.kept == (
        "person operator@example.com keeps the name, language and time zone of their own account",
        "person operator@example.com stays disabled",
    )
