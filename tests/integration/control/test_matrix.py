# SPDX-License-Identifier: Apache-2.0
"""Everything that a session's permission rests on: taken away, its session ends, cut or drained as its class says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from portineria.control.access import emergency
from portineria.control.access import services as access
from portineria.control.access.closing import LockedNow
from portineria.control.access.company_device import CompanyDevice
from portineria.control.access.company_devices import add_company_device, revoke_company_device
from portineria.control.access.levels import LevelTerms
from portineria.control.access.locks import LiftedAlready, LockedAlready, lift, lock
from portineria.control.access.maintaining import begin_maintenance, end_maintenance
from portineria.control.access.models import AccessRequest, Grant, Lock, Maintenance, Rule, Signal
from portineria.control.access.rules import Conditions, conditions_of
from portineria.control.access.signals import Where, add_signal
from portineria.control.access.training import Training, TrainingDone
from portineria.control.access.trainings import confirm_training, publish_training
from portineria.control.audit.queries import events, views
from portineria.control.estate import enrolment as admission
from portineria.control.estate import services as estate
from portineria.control.estate.labels import set_labels
from portineria.control.estate.models import Gateway, Plant
from portineria.control.identity import groups, providers, unused, way_back
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.closing_models import ClosedWhy
from portineria.control.identity.models import Group, Membership, Person, Role, Supplier
from portineria.control.identity.provider_models import IdentityProvider
from portineria.control.identity.services import BadField
from portineria.control.identity.standing import assess_supplier
from portineria.control.remote_sessions import refusals, services
from portineria.control.remote_sessions.models import Session
from portineria.core.errors import Conflict, Denied, NotFound
from portineria.policy.ending import BY_LOCK, Ending, Locked, Reason
from portineria.wire.statement import Order, Withdrawal
from tests.integration.control.sessions import accepted, again, said_to, session_key, started
from tests.integration.control.world import World, admitted_gateway
from tests.integration.control.world_again import Kept, keep_more

CUT, DRAIN = ("cutting", "security"), ("draining", "administrative")
Act = Callable[[World, str], object]  # the world, and the grant's id


def disable(w: World, grant: str) -> None:
    identity.set_person_enabled(actor=w.owner, person=w.technician.public_id, enabled=False, reason="x")


def end_membership(w: World, grant: str) -> None:
    identity.end_membership(actor=w.owner, person=w.technician.public_id, organisation=w.organisation, reason="x")


def membership_over(w: World, grant: str) -> None:
    Membership.objects.filter(person=w.technician).update(ends_at=timezone.now() - timedelta(seconds=1))


def closed_unused(w: World, grant: str) -> None:
    unused.close(Membership.objects.get(person=w.technician), ClosedWhy.UNUSED, timezone.now())


def disable_supplier(w: World, grant: str) -> None:
    identity.set_supplier_enabled(actor=w.owner, supplier=w.supplier, enabled=False, reason="x")


def other_supplier(w: World, grant: str) -> None:
    Membership.objects.filter(person=w.technician).update(supplier=Membership.objects.get(person=w.rival).supplier)


def move_machine(w: World, grant: str) -> None:
    new = admitted_gateway(w.owner, w.plant)
    estate.change_machine(actor=w.owner, machine=w.machine.public_id, gateway=new.id)


def remove_service(w: World, grant: str) -> None:
    estate.remove_service(actor=w.owner, service=w.machine.devices.get().services.get().public_id)


def change_address(w: World, grant: str) -> None:
    estate.change_device(actor=w.owner, device=w.machine.devices.get().public_id, address="192.168.10.99")


def quarantine(w: World, grant: str) -> None:
    admission.quarantine(Gateway.objects.get(public_id=w.gateway.id), "cloned")


def change_rule(**changed: object) -> Act:
    return lambda w, grant: access.change_rule(actor=w.owner, rule=w.rule, **changed)  # type: ignore[arg-type]


def shortened(w: World, grant: str) -> None:
    """To less than the time that work has taken."""
    Grant.objects.update(opened_at=F("starts_at"))
    access.change_rule(actor=w.owner, rule=w.rule, max_minutes=1)


def locked(kind: Locked) -> Act:
    """On the line that the machine stands on, in its zone."""

    def act(w: World, grant: str) -> None:
        things = {
            Locked.PERSON: w.technician.public_id, Locked.SUPPLIER: w.supplier, Locked.MACHINE: w.machine.public_id,
            Locked.LINE: f"{w.plant}/Line 1", Locked.ZONE: f"{w.plant}/Press shop", Locked.PLANT: w.plant,
            Locked.GATEWAY: w.gateway.id, Locked.EVERYTHING: "",
        }  # fmt: skip
        lock(actor=w.owner, organisation=w.organisation, kind=kind, thing=things[kind], reason="smoke")

    return act


def approver_lowered(w: World, grant: str) -> None:
    Membership.objects.filter(person=w.approver).update(role=Role.OPERATOR)


def levelled(**whom: object) -> Act:
    """The approver's yes is that of a group, or of somebody whom the rule names; then it is not any more."""

    def act(w: World, grant: str) -> None:
        rule = Rule.objects.get(public_id=w.rule)
        group = groups.create_group(actor=w.owner, organisation=w.organisation, name="Maintenance").public_id
        groups.put_in(actor=w.owner, group=group, person=w.approver.public_id)
        named = LevelTerms(people=(w.approver.public_id,)) if "named" in whom else LevelTerms(group=group)
        asked = replace(conditions_of(rule), levels=(named,))
        access.change_rule(actor=w.owner, rule=w.rule, conditions=asked)
        assert services.enforce(timezone.now()) == 0
        if "closed" in whom:
            groups.close_group(actor=w.owner, group=group, reason="x")
        elif "named" in whom:
            others = replace(asked, levels=(LevelTerms(people=(w.owner.public_id,)),))
            access.change_rule(actor=w.owner, rule=w.rule, conditions=others)
        elif "more" in whom:
            more = replace(asked, levels=(named, LevelTerms(people=(w.owner.public_id,))))
            access.change_rule(actor=w.owner, rule=w.rule, conditions=more)
        else:
            groups.take_out(actor=w.owner, group=group, person=w.approver.public_id)

    return act


def approver_disabled(w: World, grant: str) -> None:
    identity.set_person_enabled(actor=w.owner, person=w.approver.public_id, enabled=False, reason="x")


def ticket_closed(w: World, grant: str) -> None:
    access.change_rule(actor=w.owner, rule=w.rule, conditions=Conditions(needs_reference=True))
    AccessRequest.objects.filter(grant__public_id=grant).update(
        reference="CHG-7", ticket_system="snk_x", ticket_standing="state"
    )


def training(w: World, **of: str) -> str:
    """A new one, or the next version of one that is there."""
    named = of or {"organisation": w.organisation, "name": f"Safety {Training.objects.count()}"}
    made = publish_training(actor=w.owner, words={"en": ("Wear a helmet.", "")}, days=30, **named)
    return made.training.public_id


def training_over(w: World, grant: str) -> None:
    at = timezone.now()
    TrainingDone.objects.update(at=at - timedelta(days=30), until=at - timedelta(seconds=1))


def training_besides(w: World, grant: str) -> None:
    asked = (Training.objects.get().public_id, training(w))
    access.change_rule(actor=w.owner, rule=w.rule, conditions=Conditions(trainings=asked))


def from_a_device(w: World) -> str:
    """The session that runs began from one, as its rule wants from now on."""
    made = add_company_device(
        actor=w.owner, organisation=w.organisation, person=w.technician.public_id, name="x", key=bytes(32), days=1
    )
    Session.objects.update(company_device=made)
    access.change_rule(actor=w.owner, rule=w.rule, conditions=Conditions(needs_device=True))
    assert services.enforce(timezone.now()) == 0
    return made.public_id


def device_revoked(w: World, grant: str) -> None:
    revoke_company_device(actor=w.owner, device=from_a_device(w), reason="stolen")


def device_over(w: World, grant: str) -> None:
    from_a_device(w)
    at = timezone.now()
    CompanyDevice.objects.update(added_at=at - timedelta(days=2), expires_at=at - timedelta(seconds=1))


def week_over(w: World, grant: str) -> None:
    """As if it had been asked for other hours of every week."""
    past = timezone.now() - timedelta(days=2)
    Grant.objects.filter(public_id=grant).update(
        weekly=f"{past:%a} 10:00-11:00", minutes=60, opened_at=None, ends_at=timezone.now() + timedelta(days=30)
    )


def no_zone(w: World, grant: str) -> None:
    Plant.objects.filter(public_id=w.plant).update(time_zone="Europe/Atlantis")


def provider_disabled(w: World, grant: str) -> None:
    """The technician's membership is one that a provider gave: as if they had always come by it."""
    made = IdentityProvider.objects.create(
        organisation_id=Membership.objects.get(person=w.technician).organisation_id, kind="openid", name="SSO",
        issuer="https://login.example",
    )  # fmt: skip
    given = providers.map_group(
        actor=w.owner, provider=made.public_id, group="x", role=Role.TECHNICIAN, supplier=w.supplier
    )
    Membership.objects.filter(person=w.technician).update(given_by=given)
    assert services.enforce(timezone.now()) == 0
    assert providers.disable(actor=w.owner, provider=made.public_id, reason="x") == 1


def company_factor_taken(w: World, grant: str) -> None:
    """The technician's only second factor is one that their company's sign-in showed; then its word counts no more."""
    made = IdentityProvider.objects.create(
        organisation_id=Membership.objects.get(person=w.technician).organisation_id, kind="openid", name="SSO",
        issuer="https://login.example", factor_counts=True,
    )  # fmt: skip
    Authenticator.objects.filter(user=w.technician).delete()
    made.provided_factors.create(person=w.technician)
    assert services.enforce(timezone.now()) == 0
    assert providers.set_factor(actor=w.owner, provider=made.public_id, counts=False) == 1


def maintenance_over(w: World, grant: str) -> None:
    held = Maintenance.objects.get()
    end_maintenance(actor=w.operator, maintenance=held.public_id, reason="done")


def signal_is(**now: object) -> Act:
    return lambda w, grant: Signal.objects.update(**now)


def unwatched(w: World, grant: str) -> None:
    """The rule names somebody who looked on since it began, and went longer ago than may be."""
    at = timezone.now()
    Session.objects.update(requested_at=at - timedelta(minutes=4), watched_at=at - timedelta(seconds=59))
    access.change_rule(actor=w.owner, rule=w.rule, conditions=Conditions(watcher=w.operator.public_id))
    assert services.enforce(at) == 0
    Session.objects.update(watched_at=at - timedelta(seconds=61))


def leave_group(w: World, grant: str) -> None:
    """The rule is one for a group that the technician is in: as if it had always been."""
    group = groups.create_group(actor=w.owner, organisation=w.organisation, name="Night shift").public_id
    groups.put_in(actor=w.owner, group=group, person=w.technician.public_id)
    Rule.objects.filter(public_id=w.rule).update(supplier=None, group=Group.objects.get())
    assert services.enforce(timezone.now()) == 0
    groups.take_out(actor=w.owner, group=group, person=w.technician.public_id)


def by_place(place: str, act: Act) -> Act:
    """The rule names the machine by that place alone, which is no change for what runs; then it is there no longer."""

    def acting(w: World, grant: str) -> None:
        set_labels(actor=w.owner, machine=w.machine.public_id, labels=["paint"])
        set_labels(actor=w.owner, machine=w.rivals_machine.public_id, labels=["another"])
        access.change_rule(actor=w.owner, rule=w.rule, machines=[], places=[place])
        assert services.enforce(timezone.now()) == 0
        act(w, grant)

    return acting


def nobody_answers(w: World, grant: str) -> None:
    """The technician is an agent, for which the operator answers; as if it had always been one."""
    w.technician.set_unusable_password()
    Person.objects.filter(pk=w.technician.pk).update(
        is_service=True, answered_by=w.operator, password=w.technician.password
    )
    TrainingDone.objects.filter(person=w.technician).update(person=w.operator)
    assert services.enforce(timezone.now()) == 0
    identity.set_person_enabled(actor=w.owner, person=w.operator.public_id, enabled=False, reason="x")


def assessed(w: World, level: str) -> None:
    today = timezone.now().date()
    assess_supplier(
        actor=w.owner, supplier=w.supplier, level=level, assessed_by="x", assessed_on=today,
        valid_until=today + timedelta(days=30), reference="x",
    )  # fmt: skip


def standing_over(w: World, grant: str) -> None:
    Supplier.objects.filter(public_id=w.supplier).update(standing_until=timezone.now().date() - timedelta(days=1))


LONG_AGO = f"{timezone.now() - timedelta(days=3):%Y-%m-%d} 08:00-09:00"
MATRIX: dict[str, tuple[Act, tuple[str, str], str]] = {
    "person disabled": (disable, CUT, "person-disabled"),
    "membership ended": (end_membership, CUT, "no-membership no-rule"),
    "membership's end has come": (membership_over, DRAIN, "membership-over"),
    "membership closed by itself": (closed_unused, CUT, "no-membership no-rule"),
    "identity provider disabled": (provider_disabled, CUT, "no-membership no-rule"),
    "supplier disabled": (disable_supplier, CUT, "supplier-disabled"),
    "group left": (leave_group, CUT, "no-group"),
    "another supplier's person": (other_supplier, DRAIN, "no-rule supplier-standing"),
    "supplier assessed worse": (lambda w, _: assessed(w, "C"), DRAIN, "supplier-standing"),
    "supplier's standing is over": (standing_over, DRAIN, "supplier-standing"),
    "second factor taken": (
        lambda w, _: way_back.reset_second_factor(actor=w.owner, person=w.technician.public_id),
        CUT, "second-factor",
    ),
    "company's second factor counts no longer": (company_factor_taken, CUT, "second-factor"),
    "whoever answers for the agent disabled": (nobody_answers, CUT, "nobody-answers"),
    "gateway revoked": (
        lambda w, _: admission.revoke_gateway(actor=w.owner, gateway=w.gateway.id, reason="x"),
        CUT, "gateway-not-admitted",
    ),
    "gateway quarantined": (quarantine, CUT, "gateway-not-admitted"),
    "grant revoked for security": (
        lambda w, grant: access.revoke(actor=w.owner, grant=grant, reason="x", ending=Ending.SECURITY),
        CUT, "revoked-for-security",
    ),
    "grant revoked": (lambda w, grant: access.revoke(actor=w.owner, grant=grant, reason="x"), DRAIN, "revoked"),
    "rule ended": (lambda w, _: access.end_rule(actor=w.owner, rule=w.rule, reason="x"), DRAIN, "no-rule"),
    "rule names other machines": (
        lambda w, _: access.change_rule(actor=w.owner, rule=w.rule, machines=[w.rivals_machine.public_id]),
        DRAIN, "no-rule",
    ),
    "machine leaves the line that the rule names": (
        by_place("line North/Line 1", lambda w, _: estate.change_machine(
            actor=w.owner, machine=w.machine.public_id, line="")), DRAIN, "no-rule maintenance",
    ),
    "line leaves the zone that the rule names": (
        by_place("zone North/Press shop", lambda w, _: estate.change_line(
            actor=w.owner, plant=w.plant, name="Line 1", zone="")), DRAIN, "no-rule",
    ),
    "machine loses the label that the rule names": (
        by_place("label paint", lambda w, _: set_labels(
            actor=w.owner, machine=w.machine.public_id, labels=["x"])), DRAIN, "no-rule",
    ),
    "rule no longer names the machine's plant": (
        by_place("plant North", change_rule(machines=[], places=["label another"])), DRAIN, "no-rule",
    ),
    "rule names other services than the machine has": (
        by_place("plant North", change_rule(only_services=["ssh"])), DRAIN, "no-service-left",
    ),
    "rule is shorter": (shortened, DRAIN, "expired"),
    "rule's windows are closed": (change_rule(windows=LONG_AGO), DRAIN, "outside-windows"),
    "the time of this week is over": (week_over, DRAIN, "between-times"),
    "plant's time zone vanished": (no_zone, DRAIN, "time-zone-unknown"),
    "ticket no longer covers it": (ticket_closed, DRAIN, "ticket"),
    "approver has a lesser role": (approver_lowered, DRAIN, "no-approval"),
    "approver disabled": (approver_disabled, DRAIN, "no-approval"),
    "approver leaves the group that a level asks": (levelled(), DRAIN, "no-approval"),
    "group that a level asks is closed": (levelled(closed=True), DRAIN, "no-approval"),
    "approver is not among whom a level names": (levelled(named=True), DRAIN, "no-approval"),
    "rule has a level besides": (levelled(more=True), DRAIN, "no-approval"),
    "whoever has to watch went away": (unwatched, DRAIN, "not-watched"),
    "training has another version": (
        lambda w, _: training(w, training=Training.objects.get().public_id), DRAIN, "training"
    ),
    "training's time is over": (training_over, DRAIN, "training"),
    "rule asks for a training besides": (training_besides, DRAIN, "training"),
    "company device revoked": (device_revoked, CUT, "device-revoked"),
    "company device's time is over": (device_over, DRAIN, "company-device"),
    "rule wants a company device": (change_rule(conditions=Conditions(needs_device=True)), DRAIN, "company-device"),
    "machine moved": (move_machine, DRAIN, "machine-changed"),
    "machine no longer recorded": (
        lambda w, _: estate.change_machine(actor=w.owner, machine=w.machine.public_id, recording="none"),
        DRAIN, "not-recorded",
    ),
    "maintenance ended": (maintenance_over, DRAIN, "maintenance"),
    "consent signal off": (signal_is(state="off"), DRAIN, "presence"),
    "consent signal lost": (signal_is(state="lost"), DRAIN, "presence"),
    "consent signal the work could set": (
        signal_is(source="modbus-coil", address="192.168.10.5", port=502), DRAIN, "presence-settable",
    ),
    "service removed": (remove_service, DRAIN, "nothing-to-reach"),
    "device elsewhere": (change_address, DRAIN, "machine-changed"),
    "profile over what the gateway does not decode": (change_rule(profile="observe"), DRAIN, "not-inspectable"),
    **{f"{kind} locked": (locked(kind), CUT, BY_LOCK[kind].value) for kind in Locked},
}  # fmt: skip

ANEW = {"machine moved", "device elsewhere"}  # the next session has another order: the permission itself holds


def stand_on(w: World) -> str:
    """A grant that rests on everything there is: the rule has a window, an approver said yes, the machine a place."""
    estate.create_zone(actor=w.owner, plant=w.plant, name="Press shop")
    estate.create_line(actor=w.owner, plant=w.plant, name="Line 1", zone="Press shop")
    estate.change_machine(actor=w.owner, machine=w.machine.public_id, line="Line 1", recording="full")
    asked = training(w)
    everything = Conditions(
        approvals=1,
        needs_recording=True,
        needs_maintenance=True,
        signals="button",
        trainings=(asked,),
        least_standing="B",
    )
    assessed(w, "B")
    add_signal(
        actor=w.owner, organisation=w.organisation, machine=w.machine.public_id, kind="button", name="Shift leader",
        where=Where("file", place="button"),
    )  # fmt: skip
    Signal.objects.update(state="on")
    begin_maintenance(actor=w.operator, organisation=w.organisation, line=f"{w.plant}/Line 1", reason="belt")
    access.change_rule(actor=w.owner, rule=w.rule, windows="Mon-Sun 00:00-24:00", conditions=everything)
    confirm_training(actor=w.technician, training=asked, number=1, language="en")
    return access.approve(actor=w.approver, request=w.request(480)).public_id


def standing(w: World) -> World:
    """With a session that rests on it, and would go on."""
    w.link()
    grant, begun = Grant.objects.filter(public_id=stand_on(w)), timezone.now() - timedelta(minutes=5)
    grant.update(starts_at=begun, minutes=None, ends_at=begun + timedelta(hours=8))
    accepted(w, started(w))
    assert services.enforce(timezone.now()) == 0
    return w


@pytest.fixture(scope="session")
def kept_standing(kept: Kept, django_db_blocker: DjangoDbBlocker) -> Kept:
    """Once a process: to build it takes longer than what the rows do with it."""
    with django_db_blocker.unblock():
        return keep_more(kept, standing, "standing")


@pytest.fixture
def stood(kept_standing: Kept, db: None) -> World:
    return kept_standing.put_back()


@pytest.mark.parametrize("row", MATRIX)
def test_what_a_permission_rests_on_ends_its_session_by_its_class(stood: World, row: str) -> None:
    act, class_, why = MATRIX[row]
    linked, session, grant = stood, Session.objects.get(), Grant.objects.get().public_id
    act(linked, grant)
    assert services.enforce(timezone.now()) == 1
    after = again(session)
    assert ((after.state, after.ending_class), after.end_why) == (class_, why)
    letters = said_to(linked, session)
    assert [type(letter) for letter in letters] in ([Withdrawal], [])
    assert not any(isinstance(letter, Order) for letter in letters)
    if row not in ANEW:
        with pytest.raises((refusals.NotPermitted, NotFound, Conflict)):
            started(linked)


def to_a_supplier(w: World, role: str) -> None:
    firm = Membership.objects.get(person=w.rival).supplier
    Membership.objects.filter(person=w.operator).update(role=Role.TECHNICIAN, supplier=firm)


# What an emergency role opened rests on less, and on this besides: nobody's yes stands behind it.
EMERGENCY: dict[str, tuple[Act, tuple[str, str], str]] = {
    "emergency role taken back": (
        lambda w, role: emergency.take_role(actor=w.owner, role=role, reason="x"), CUT, "no-emergency-role",
    ),
    "holder of the role goes to a supplier": (to_a_supplier, CUT, "no-emergency-role"),
    "machine no longer recorded": (
        lambda w, _: estate.change_machine(actor=w.owner, machine=w.machine.public_id, recording="none"),
        ("live", ""), "",
    ),
    "longest time is shorter": (
        lambda w, _: emergency.set_longest(actor=w.owner, organisation=w.organisation, minutes=5), DRAIN, "expired",
    ),
    "machine locked": (locked(Locked.MACHINE), CUT, "locked-machine"),
}  # fmt: skip


@pytest.mark.parametrize("row", EMERGENCY)
def test_what_an_emergency_rests_on_ends_its_session_by_its_class(linked: World, row: str) -> None:
    act, class_, why = EMERGENCY[row]
    w = linked
    estate.change_machine(actor=w.owner, machine=w.machine.public_id, recording="full")
    named: Any = {"person": w.operator.public_id, "plant": w.plant}
    role = emergency.give_role(actor=w.owner, organisation=w.organisation, **named).public_id
    grant = emergency.break_glass(actor=w.operator, machine="Press 3", reason="x")
    Grant.objects.filter(pk=grant.pk).update(starts_at=timezone.now() - timedelta(minutes=6))
    session = accepted(w, services.start_session(
        actor=w.operator, machine="Press 3", key=session_key(), address="192.0.2.7").session)  # fmt: skip
    services.enforce(timezone.now())  # it ends earlier now than the order says
    session = accepted(w, session)
    act(w, role)
    services.enforce(timezone.now())
    after = again(session)
    assert ((after.state, after.ending_class), after.end_why) == (class_, why)


def test_the_matrix_has_a_row_for_every_reason_that_may_end_a_session() -> None:
    named = {word for _, _, why in (*MATRIX.values(), *EMERGENCY.values()) for word in why.split()}
    # Of these there is no session: nothing was given, or not for this machine or not yet. A notice that nobody read
    # or a second factor that is old keeps a session from beginning and ends none (test_notices.py and
    # test_factor_age.py); likewise a change that waits for a second yes (test_second_yes.py).
    assert {reason.value for reason in Reason} - named == {
        "no-grant", "other-machine", "not-yet", "notice", "change-waits", "second-factor-old",
    }  # fmt: skip


def test_a_lock_is_set_once_and_lifted_by_an_owner_with_a_reason(linked: World) -> None:
    set_: Any = {"organisation": linked.organisation, "kind": Locked.MACHINE, "thing": linked.machine.public_id}
    waiting = linked.request(30)
    made = lock(actor=linked.operator, reason="  smoke at \n the press ", **set_)
    assert (made.reason, made.made_by, made.kind) == ("smoke at the press", linked.operator, Locked.MACHINE)
    with pytest.raises(LockedAlready):
        lock(actor=linked.owner, reason="x", **set_)
    with pytest.raises(LockedNow):
        access.approve(actor=linked.owner, request=waiting)
    for who, refused in ((linked.operator, Denied), (linked.technician, NotFound), (linked.stranger, NotFound)):
        with pytest.raises(refused):
            lift(actor=who, lock=made.public_id, reason="x")
    with pytest.raises(BadField):
        lift(actor=linked.owner, lock=made.public_id, reason=" ")
    lift(actor=Operator(), lock=made.public_id, reason="extinguished")
    with pytest.raises(LiftedAlready):
        lift(actor=linked.owner, lock=made.public_id, reason="x")
    access.approve(actor=linked.owner, request=waiting)
    assert started(linked).state == "opening"
    told = {event.code: views([event])[0].fields for event in events(linked.owner)[:10]}
    assert told["access.lock.set"]["machine"] == told["access.lock.lifted"]["machine"] == linked.machine.public_id
    assert told["access.lock.lifted"]["reason"] == "extinguished"


def test_who_may_lock_what(linked: World) -> None:
    set_: Any = {"organisation": linked.organisation, "reason": "x"}
    for kind, thing in ((Locked.EVERYTHING, ""), (Locked.SUPPLIER, linked.supplier)):
        with pytest.raises(Denied):
            lock(actor=linked.approver, kind=kind, thing=thing, **set_)
    for who in (linked.technician, linked.stranger):
        with pytest.raises(NotFound):
            lock(actor=who, kind=Locked.MACHINE, thing=linked.machine.public_id, **set_)
    with pytest.raises(NotFound):
        lock(actor=linked.owner, kind=Locked.PERSON, thing=linked.stranger.public_id, **set_)
    assert not Lock.objects.exists()


def test_a_lock_of_one_organisation_is_no_matter_for_another(linked: World) -> None:
    accepted(linked, started(linked))
    other = linked.stranger.memberships.get().organisation.public_id
    lock(actor=linked.stranger, organisation=other, kind=Locked.EVERYTHING, reason="x")
    assert services.enforce(timezone.now()) == 0


def test_the_database_holds_no_lock_of_two_things_and_none_lifted_without_words(linked: World) -> None:
    made = lock(actor=linked.owner, organisation=linked.organisation, kind=Locked.PLANT, thing=linked.plant, reason="x")
    for change in ({"machine": linked.machine}, {"lifted_at": timezone.now()}, {"lifted_reason": "x"}, {"reason": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Lock.objects.filter(pk=made.pk).update(**change)
