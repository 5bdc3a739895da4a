# SPDX-License-Identifier: Apache-2.0
"""Of whom a recording is made: what the owner's terms say of such people, unless rule or machine demand more."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from portineria.control.access import services as access
from portineria.control.access.models import Rule
from portineria.control.access.rules import Conditions
from portineria.control.audit.queries import events, views
from portineria.control.estate import services as estate
from portineria.control.identity.connector import base64url
from portineria.control.identity.models import Person, Role
from portineria.control.identity.services import BadField
from portineria.control.privacy.models import Terms
from portineria.control.privacy.services import set_terms
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import Session
from portineria.core.errors import Denied, NotFound
from portineria.wire.statement import Order
from tests.integration.control.browsing import shown, signed_in
from tests.integration.control.sessions import said_to, started
from tests.integration.control.test_sight import session_key
from tests.integration.control.world import ConnectorEnd, World, person


def terms(world: World, *, staff: bool = False, suppliers: bool = True, days: int | None = 90) -> None:
    set_terms(
        actor=world.owner, organisation=world.organisation, records_staff=staff, records_suppliers=suppliers,
        recordings_days=days,
    )  # fmt: skip


def ordered(world: World, session: Session) -> str:
    [order] = said_to(world, session)
    assert isinstance(order, Order)
    assert bool(order.recording_recipients) == (order.recording != "none")
    return order.recording


def mechanic_of(world: World) -> Person:
    """Of the plant itself: without a supplier, under a rule of their own."""
    made = person("mechanic", world.organisation, Role.TECHNICIAN)
    machine = world.machine.public_id
    access.create_rule(
        actor=world.owner, organisation=world.organisation, machines=[machine], person=made.public_id,
        needs_approval=False,
    )  # fmt: skip
    access.make_request(actor=made, machine=machine, reason="belt change", minutes=60)
    return made


def begun(world: World, who: Person) -> Session:
    return services.start_session(
        actor=who, machine=world.machine.public_id, key=session_key(), address=""
    ).session  # fmt: skip


def test_suppliers_are_recorded_and_own_people_are_not_unless_more_is_demanded(linked: World) -> None:
    mechanic, machine = mechanic_of(linked), linked.machine.public_id
    estate.change_machine(actor=linked.owner, machine=machine, recording="full")
    theirs, own = started(linked), begun(linked, mechanic)
    assert (ordered(linked, theirs), ordered(linked, own)) == ("full", "none")
    assert "This session is recorded." in shown(signed_in(linked.technician), f"/sessions/{theirs.public_id}/")
    assert "This session is recorded." not in shown(signed_in(mechanic), f"/sessions/{own.public_id}/")
    terms(linked, staff=True, suppliers=False)
    assert (ordered(linked, started(linked)), ordered(linked, begun(linked, mechanic))) == ("none", "full")
    assert "This session is recorded." in shown(signed_in(linked.technician), f"/sessions/{theirs.public_id}/")
    terms(linked, suppliers=False)
    rule = Rule.objects.get(person=mechanic).public_id
    access.change_rule(actor=linked.owner, rule=rule, conditions=Conditions(needs_recording=True))
    assert ordered(linked, begun(linked, mechanic)) == "full"
    estate.change_machine(actor=linked.owner, machine=machine, recording="strict")
    assert ordered(linked, started(linked)) == "strict"
    estate.change_machine(actor=linked.owner, machine=machine, recording="none")
    assert ordered(linked, started(linked)) == "none"


def test_a_connector_learns_whether_it_is_recorded(linked: World) -> None:
    linked.grant()
    estate.change_machine(actor=linked.owner, machine=linked.machine.public_id, recording="full")
    end = ConnectorEnd(linked.technician)
    for suppliers in (True, False):
        terms(linked, suppliers=suppliers)
        asked = {"machine": linked.machine.public_id, "key": base64url(session_key())}
        assert end.call("POST", "/sessions", asked).json()["recorded"] is suppliers


def test_who_says_what_is_recorded_of_whom(linked: World) -> None:
    address = f"/privacy/{linked.organisation}/terms/"
    said = {"records_staff": "on", "recordings_days": "30"}
    assert signed_in(linked.owner).post(address, said)["Location"] == "/privacy/"
    row = Terms.objects.get()
    assert (row.records_staff, row.records_suppliers, row.recordings_days) == (True, False, 30)
    told = next(view for view in views(events(linked.owner)[:3]) if view.code == "privacy.terms.changed")
    assert (told.fields["records_staff"], told.fields["records_suppliers"], told.fields["days"]) == (True, False, 30)
    assert "for 30 days" in shown(signed_in(linked.operator), "/privacy/")
    for who, status in ((linked.approver, 403), (linked.technician, 404), (linked.stranger, 404)):
        assert signed_in(who).post(address, said).status_code == status
    for who, refused in ((linked.approver, Denied), (linked.technician, NotFound), (linked.stranger, NotFound)):
        with pytest.raises(refused):
            set_terms(actor=who, organisation=linked.organisation, records_staff=True, records_suppliers=True,
                      recordings_days=None)  # fmt: skip
    for days in (0, 3651):
        with pytest.raises(BadField):
            terms(linked, days=days)
    with pytest.raises(IntegrityError), transaction.atomic():
        Terms.objects.update(recordings_days=0)


def test_an_organisation_from_before_keeps_what_it_recorded(linked: World) -> None:
    step = import_module("portineria.control.privacy.migrations.0002_terms")
    step.keep_what_was_recorded(apps, connection.schema_editor())
    row = Terms.objects.get(organisation__public_id=linked.organisation)
    assert (row.records_staff, row.records_suppliers, row.recordings_days) == (True, True, None)
