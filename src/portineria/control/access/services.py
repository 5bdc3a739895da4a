# SPDX-License-Identifier: Apache-2.0
"""Asking, deciding, granting, revoking. What follows for running sessions is enforced by remote_sessions."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from portineria.control.access.closing import hold_waiting, lapse_requests, record_request, require_prospect
from portineria.control.access.models import AccessRequest, Approval, Grant, RequestState, Rule
from portineria.control.access.profiles import profile_named, require_inspectable
from portineria.control.access.queries import visible_machine
from portineria.control.access.waiting import keep_readable
from portineria.control.audit.services import record
from portineria.control.estate.models import Machine
from portineria.control.identity.authority import (
    SYSTEM,
    Actor,
    Operator,
    administers,
    approves,
    organisation_of,
    require,
    works_here,
)
from portineria.control.identity.models import Organisation, Person, Supplier
from portineria.control.identity.services import BadField
from portineria.core.errors import Conflict, Denied, NotFound
from portineria.policy.ending import Ending

AHEAD = timedelta(days=90)  # how far in the future a window may begin
_RULE_MINUTES = 10080


class NoRule(Denied):
    code = "access.no-rule"


class OwnRequest(Denied):
    code = "access.request.own"


class GrantEnded(Conflict):
    code = "access.grant.ended"


class ProfileChanged(Conflict):
    code = "access.profile.changed"


# -- rules ------------------------------------------------------------------------------------------------------


@transaction.atomic
def create_rule(
    *, actor: Person, organisation: str, machines: Iterable[str], supplier: str = "", person: str = "",
    max_minutes: int = 480, needs_approval: bool = True, profile: str = "", only_decoded: bool = False,
) -> Rule:  # fmt: skip
    """For all people of a supplier, or for one person. ``profile``: name of a function profile; without one nothing is
    inspected. ``only_decoded``: services of which we would see metadata only are left out.
    """
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    if bool(supplier) == bool(person):
        raise BadField("supplier", "either a supplier or a person")
    _check_minutes(max_minutes, _RULE_MINUTES)
    named, functions = _machines(owner, machines), profile_named(owner, profile)
    require_inspectable(named, profile=functions, only_decoded=only_decoded)
    rule = Rule.objects.create(
        organisation=owner,
        supplier=_supplier(owner, supplier),
        person=_member(owner, person),
        max_minutes=max_minutes,
        needs_approval=needs_approval,
        profile=functions,
        only_decoded=only_decoded,
    )
    rule.machines.set(named)
    record(
        "access.rule.created",
        organisation=owner.public_id,
        actor=actor.public_id,
        rule=rule.public_id,
        supplier=supplier,
        person=person,
        minutes=max_minutes,
        needs_approval=needs_approval,
        machines=" ".join(machine.public_id for machine in named),
        **_functions_of(rule),
    )
    return rule


def _functions_of(rule: Rule) -> dict[str, Any]:
    """As an event says it."""
    return {"profile": rule.profile.public_id if rule.profile else "", "only_decoded": rule.only_decoded}


def _check_minutes(minutes: int, most: int) -> None:
    if not 1 <= minutes <= most:
        raise BadField("minutes", f"1 to {most}", most=most)


def _machines(owner: Organisation, machines: Iterable[str]) -> list[Machine]:
    wanted = set(machines)
    found = list(Machine.objects.filter(plant__organisation=owner, public_id__in=wanted).order_by("pk"))
    if not wanted or len(found) != len(wanted):
        raise NotFound("machines of a rule")
    return found


def _supplier(owner: Organisation, supplier: str) -> Supplier | None:
    if not supplier:
        return None
    found = Supplier.objects.filter(organisation=owner, public_id=supplier).first()
    if found is None:
        raise NotFound(f"supplier {supplier}")
    return found


def _member(owner: Organisation, person: str) -> Person | None:
    if not person:
        return None
    found = Person.objects.filter(memberships__organisation=owner, public_id=person).first()
    if found is None:
        raise NotFound(f"person {person}")
    return found


def _rule_to_change(actor: Actor, rule: str) -> Rule:
    seen = Rule.objects.all() if isinstance(actor, Operator) else Rule.objects.visible_to(actor)
    rows = seen.holding().select_for_update(of=("self",), no_key=True).select_related("organisation")
    row = rows.filter(public_id=rule).first()
    if row is None:
        raise NotFound(f"rule {rule}")
    require(actor, row.organisation_id, administers)
    hold_waiting(row)
    return row


@transaction.atomic
def change_rule(
    *, actor: Person, rule: str, machines: Iterable[str] | None = None, max_minutes: int | None = None,
    needs_approval: bool | None = None, profile: str | None = None, only_decoded: bool | None = None,
) -> Rule:  # fmt: skip
    """Machines that drop out: their grants under this rule stop holding, their sessions drain, and what waits ends.

    Another profile holds at once for what runs under the rule, beside that of its approval; an empty one takes it away.
    """
    row = _rule_to_change(actor, rule)
    if max_minutes is not None:
        _check_minutes(max_minutes, _RULE_MINUTES)
        row.max_minutes = max_minutes
    if needs_approval is not None:
        row.needs_approval = needs_approval
    if machines is not None:
        row.machines.set(_machines(row.organisation, machines))
    if profile is not None:
        row.profile = profile_named(row.organisation, profile)
    if only_decoded is not None:
        row.only_decoded = only_decoded
    if (machines, profile, only_decoded) != (None, None, None):
        require_inspectable(row.machines.all(), profile=row.profile, only_decoded=row.only_decoded)
    row.save(update_fields=["max_minutes", "needs_approval", "profile", "only_decoded"])
    record(
        "access.rule.changed",
        organisation=row.organisation.public_id,
        actor=actor.public_id,
        rule=rule,
        minutes=row.max_minutes,
        needs_approval=row.needs_approval,
        machines=" ".join(row.machines.order_by("pk").values_list("public_id", flat=True)),
        **_functions_of(row),
    )
    lapse_requests(timezone.now(), row)
    return row


@transaction.atomic
def end_rule(*, actor: Actor, rule: str, reason: str) -> Rule:
    row = _rule_to_change(actor, rule)
    row.ended_at = timezone.now()
    row.save(update_fields=["ended_at"])
    record(
        "access.rule.ended", organisation=row.organisation.public_id, actor=actor.public_id, rule=rule, reason=reason
    )
    lapse_requests(row.ended_at, row)
    return row


# -- requests ---------------------------------------------------------------------------------------------------


@transaction.atomic
def make_request(
    *, actor: Person, machine: str, reason: str, minutes: int, starts_at: datetime | None = None
) -> AccessRequest:
    """Where the rule needs no approval the grant is there at once."""
    seen = visible_machine(actor, machine)
    rule = _rule_for(actor, seen.machine, minutes)
    reason = " ".join(reason.split())
    if not reason or len(reason) > 500:
        raise BadField("reason", "1 to 500 characters")
    now = timezone.now()
    if starts_at is not None and not now - timedelta(minutes=5) <= starts_at <= now + AHEAD:
        raise BadField("starts_at", "from now to 90 days ahead")
    keep_readable(actor, seen.machine, starts_at, minutes)
    request = AccessRequest.objects.create(
        organisation=seen.machine.plant.organisation,
        machine=seen.machine,
        person=actor,
        rule=rule,
        reason=reason,
        starts_at=starts_at,
        minutes=minutes,
    )
    record_request("made", request, actor.public_id, reason=reason, rule=rule.public_id, minutes=minutes,
                   starts_at=starts_at.isoformat(timespec="seconds") if starts_at else "")  # fmt: skip
    if not rule.needs_approval:
        request.close(RequestState.APPROVED)
        request.save(update_fields=["state"])
        _give(request, SYSTEM)
    return request


def _rule_for(actor: Person, machine: Machine, minutes: int) -> Rule:
    """The rule under which this is asked: one that needs no approval first, then the one that allows most."""
    rules = list(Rule.objects.admitting(actor).filter(machines=machine))
    if not rules:
        raise NoRule(f"no rule lets {actor.public_id} ask for {machine.public_id}")
    _check_minutes(minutes, max(rule.max_minutes for rule in rules))
    fitting = [rule for rule in rules if rule.max_minutes >= minutes]
    return max(fitting, key=lambda rule: (not rule.needs_approval, rule.max_minutes, rule.pk))


def _locked_request(actor: Person, request: str) -> AccessRequest:
    visible = AccessRequest.objects.visible_to(actor).values("pk")
    rows = AccessRequest.objects.select_for_update(of=("self",), no_key=True).select_related(
        "organisation", "machine__plant", "machine__gateway", "person", "rule__profile"
    )
    row = rows.filter(public_id=request, pk__in=visible).first()
    if row is None:
        raise NotFound(f"access request {request}")
    return row


def _decide(actor: Person, request: str, reason: str, *, approved: bool) -> AccessRequest:
    row = _locked_request(actor, request)
    if row.person_id == actor.pk:
        raise OwnRequest("whoever asks may not decide")
    require(actor, row.organisation_id, approves)
    row.close(RequestState.APPROVED if approved else RequestState.REFUSED)
    row.save(update_fields=["state"])
    Approval.objects.create(
        request=row, asked_by_id=row.person_id, decided_by=actor, approved=approved, reason=reason[:500]
    )
    record_request("approved" if approved else "refused", row, actor.public_id, reason=reason[:500])
    return row


@transaction.atomic
def approve(*, actor: Person, request: str, reason: str = "", profile: str | None = None) -> Grant:
    """The grant, its approval and the events commit together, or none of them.

    ``profile``: id of the function profile that whoever approves had before their eyes, empty for none. Raise
    ProfileChanged when it is another one by now.
    """
    row = _decide(actor, request, reason, approved=True)
    if profile is not None and profile != (row.rule.profile.public_id if row.rule.profile else ""):
        raise ProfileChanged(f"the profile of {request} is another than {profile!r}")
    return _give(row, actor.public_id)


@transaction.atomic
def refuse(*, actor: Person, request: str, reason: str) -> AccessRequest:
    return _decide(actor, request, reason, approved=False)


@transaction.atomic
def cancel(*, actor: Person, request: str) -> AccessRequest:
    """By whoever asked, while it is pending."""
    row = _locked_request(actor, request)
    if row.person_id != actor.pk:
        raise Denied("only whoever asked may cancel")
    row.close(RequestState.CANCELLED)
    row.save(update_fields=["state"])
    record_request("cancelled", row, actor.public_id)
    return row


def _give(request: AccessRequest, actor: str) -> Grant:
    now = timezone.now()
    require_prospect(request, now)
    starts = max(now, request.starts_at) if request.starts_at else now
    # A window that began while nobody decided keeps its end: a late yes does not move it.
    ends = (request.starts_at or now) + timedelta(minutes=request.minutes)
    if ends <= now:
        raise GrantEnded(f"the window of {request.public_id} is over")
    grant = Grant.objects.create(
        organisation=request.organisation,
        request=request,
        rule=request.rule,
        person=request.person,
        machine=request.machine,
        profile=request.rule.profile,
        starts_at=starts,
        ends_at=ends,
    )
    record(
        "access.grant.given",
        organisation=request.organisation.public_id,
        actor=actor,
        grant=grant.public_id,
        request=request.public_id,
        machine=request.machine.public_id,
        person=request.person.public_id,
        starts_at=starts.isoformat(timespec="seconds"),
        ends_at=ends.isoformat(timespec="seconds"),
        profile=grant.profile.public_id if grant.profile else "",
    )
    return grant


# -- grants -----------------------------------------------------------------------------------------------------


def _grant_to_change(actor: Person, grant: str, *, while_draining: bool = False) -> Grant:
    visible = Grant.objects.visible_to(actor).values("pk")
    rows = Grant.objects.select_for_update(of=("self",), no_key=True).select_related(
        "organisation", "machine", "person", "rule"
    )
    row = rows.filter(public_id=grant, pk__in=visible).first()
    if row is None:
        raise NotFound(f"grant {grant}")
    drain = timedelta(seconds=row.machine.drain_s if while_draining else 0)
    if row.revoked_at is not None or row.ends_at + drain <= timezone.now():
        raise GrantEnded(f"grant {grant} ended already")
    return row


@transaction.atomic
def extend(*, actor: Person, grant: str, minutes: int) -> Grant:
    """By whoever may approve; also while its sessions drain. Four eyes hold here too.

    From its start to its end a grant is never longer than its rule allows: longer work is asked for again, and looked
    at again. Raise NoLonger.
    """
    row = _grant_to_change(actor, grant, while_draining=True)
    if row.person_id == actor.pk:
        raise OwnRequest("whoever works may not extend")
    require(actor, row.organisation_id, approves)
    _check_minutes(minutes, row.rule.max_minutes)
    before = row.ends_at
    row.lengthen(minutes, timezone.now())
    row.save(update_fields=["ends_at"])
    record(
        "access.grant.extended",
        organisation=row.organisation.public_id,
        actor=actor.public_id,
        grant=grant,
        machine=row.machine.public_id,
        person=row.person.public_id,
        ends_at=row.ends_at.isoformat(timespec="seconds"),
        previous_ends_at=before.isoformat(timespec="seconds"),
    )
    return row


@transaction.atomic
def revoke(*, actor: Person, grant: str, reason: str, ending: Ending = Ending.ADMINISTRATIVE) -> Grant:
    """By the owner's people, or by its holder giving it back. SECURITY cuts its sessions, the other drains them."""
    row = _grant_to_change(actor, grant)
    if row.person_id != actor.pk:
        require(actor, row.organisation_id, works_here)
    row.revoked_at, row.ended_class = timezone.now(), ending.value
    row.save(update_fields=["revoked_at", "ended_class"])
    record(
        "access.grant.revoked",
        organisation=row.organisation.public_id,
        actor=actor.public_id,
        about=actor.public_id,
        grant=grant,
        machine=row.machine.public_id,
        person=row.person.public_id,
        ending=ending.value,
        reason=reason,
    )
    return row
