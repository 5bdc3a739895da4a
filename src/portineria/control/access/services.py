# SPDX-License-Identifier: Apache-2.0
"""Asking, deciding, granting, revoking. What follows for running sessions is enforced by remote_sessions."""

from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from portineria.control.access.closing import record_request
from portineria.control.access.counted import NOTHING_SAID, approvals_missing, said_to_one
from portineria.control.access.deciding import (
    answered_by,
    answered_for,
    authority,
    same_person,
    set_aside,
    yes_authority,
)
from portineria.control.access.giving import GrantEnded, give
from portineria.control.access.models import (
    TICKET_UNASKED,
    AccessRequest,
    AlreadyDecided,
    Grant,
    RequestState,
    Rule,
)
from portineria.control.access.naming import naming
from portineria.control.access.preference import preference
from portineria.control.access.profiles import mark_of, narrower_named
from portineria.control.access.queries import visible_machine
from portineria.control.access.reasons import listed_for
from portineria.control.access.recurring import Weeks, clean_weeks, coming, said
from portineria.control.access.rules import change_rule, check_minutes, create_rule, end_rule
from portineria.control.access.substitution import Substitution
from portineria.control.access.tickets import system_of
from portineria.control.access.waiting import keep_readable
from portineria.control.access.waiting_extensions import answer_with_yes
from portineria.control.access.windows import OutsideWindows, opens_in, require_longer
from portineria.control.access.work_time import BEGIN_WITHIN
from portineria.control.audit.services import record
from portineria.control.estate.models import Machine
from portineria.control.identity.authority import (
    SYSTEM,
    require,
    works_here,
)
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.identity.queries import own_firm
from portineria.control.identity.service_accounts import answering
from portineria.control.identity.services import BadField
from portineria.control.identity.words import clean_remark, clean_words
from portineria.core.errors import Conflict, Denied, NotFound
from portineria.policy.ending import Ending

__all__ = [
    "AHEAD",
    "GrantEnded",
    "MoreApprovals",
    "NoRule",
    "OwnRequest",
    "ProfileChanged",
    "agree",
    "approve",
    "cancel",
    "change_rule",
    "create_rule",
    "end_rule",
    "extend",
    "make_request",
    "prolong",
    "refuse",
    "revoke",
]  # fmt: skip
AHEAD = timedelta(days=90)  # how far in the future a window may begin


class NoRule(Denied):
    code = "access.no-rule"


class OwnRequest(Denied):
    code = "access.request.own"


class MoreApprovals(Conflict):
    code = "access.request.more-approvals"


class ProfileChanged(Conflict):
    code = "access.profile.changed"


class NarrowedOtherwise(Conflict):
    code = "access.request.narrowed-otherwise"


# -- requests ---------------------------------------------------------------------------------------------------


@transaction.atomic
def make_request(
    *, actor: Person, machine: str, reason: str, minutes: int, starts_at: datetime | None = None, reference: str = "",
    bundle: str = "", listed_reason: str = "", weekly: str = "", until: date | None = None,
) -> AccessRequest:  # fmt: skip
    """Where the rule needs no approval the grant is there at once, or once the ticket that it needs is known to hold.
    ``reference``: of a ticket or work permit; ``bundle``: of several asked together; ``listed_reason``: of the list;
    ``weekly``, ``until``: as ``recurring.clean_weeks`` takes them; they say how long each is, ``minutes`` says nothing.
    """
    seen, now, reason = visible_machine(actor, machine), timezone.now(), clean_words(reason)
    if starts_at is not None and not now - timedelta(minutes=5) <= starts_at <= now + AHEAD:
        raise BadField("starts_at", "from now to 90 days ahead")
    weeks = clean_weeks(weekly, until, seen.machine, max(now, starts_at or now))
    minutes = weeks.minutes if weeks else minutes
    rule = _rule_for(actor, seen.machine, minutes, starts_at, now, weeks)
    reference = _clean_reference(rule, reference)
    system = system_of(seen.machine.plant.organisation, reference, needed=rule.needs_reference)
    keep_readable(actor, seen.machine, starts_at, minutes, weeks.weekly if weeks else "")
    request = AccessRequest.objects.create(
        organisation=seen.machine.plant.organisation,
        machine=seen.machine,
        person=actor,
        rule=rule,
        reason=reason,
        starts_at=starts_at,
        reference=reference,
        ticket_system=system,
        ticket_standing=TICKET_UNASKED if system else "",
        bundle=bundle,
        **(weeks._asdict() if weeks else {"minutes": minutes}),
        listed_reason=listed_for(rule, seen.machine, listed_reason),
    )
    record_request("made", request, actor.public_id, reason=reason, rule=rule.public_id, minutes=minutes,
                   starts_at=starts_at.isoformat(timespec="seconds") if starts_at else "",
                   reference=reference, bundle=bundle, listed_reason=request.listed_reason,
                   answered_by=answering(actor), **said(weeks))  # fmt: skip
    if not rule.needs_approval and not (rule.needs_reference and system):
        _give_by_rule(request)
    return request


def _clean_reference(rule: Rule, text: str) -> str:
    reference = " ".join(text.split())
    if len(reference) > 60 or not reference.isprintable() or (rule.needs_reference and not reference):
        raise BadField("reference", "1 to 60 characters")
    return reference


def _give_by_rule(request: AccessRequest) -> None:
    request.close(RequestState.APPROVED)
    request.save(update_fields=["state"])
    give(request, SYSTEM)


@transaction.atomic
def give_for_ticket(request: int) -> None:
    """Its ticket holds, as was said just now: where nobody has to say yes, nothing is missing any more."""
    rows = AccessRequest.objects.select_for_update(of=("self",), no_key=True).select_related(
        "organisation", "machine__plant", "machine__gateway", "person", "rule__profile"
    )
    row = rows.get(pk=request)
    if row.state == RequestState.PENDING and not row.rule.needs_approval:
        _give_by_rule(row)


def _rule_for(
    actor: Person, machine: Machine, minutes: int, starts_at: datetime | None, now: datetime, weeks: Weeks | None
) -> Rule:
    """The rule under which this is asked, by ``preference``.

    Raise OutsideWindows where none of them opens in that time. Work that begins with a yes may begin later: there it is
    enough that a yes of this moment would open something, or that somebody has to give one.
    """
    rules = list(Rule.objects.admitting(actor).filter(naming(machine)))
    if not rules:
        raise NoRule(f"no rule lets {actor.public_id} ask for {machine.public_id}")
    check_minutes(minutes, max(rule.max_minutes for rule in rules))
    fitting = [rule for rule in rules if rule.max_minutes >= minutes]
    begins = starts_at or now
    spans = [(begins, begins + timedelta(minutes=minutes) if starts_at else begins + BEGIN_WITHIN)]
    if weeks:
        spans = [(max(one.begins, begins), one.ends) for one in coming(weeks, machine, minutes, begins)]
    opening = [rule for rule in fitting if opens_in(rule, machine, spans)]
    if not opening and starts_at is None and not weeks:
        opening = [rule for rule in fitting if rule.needs_approval]
    if not opening:
        raise OutsideWindows(fitting[0], machine, begins, actor)
    firm = own_firm(actor, machine.plant.organisation_id)
    return max(opening, key=preference(firm, now))


def locked_request(actor: Person, request: str) -> AccessRequest:
    visible = AccessRequest.objects.visible_to(actor).values("pk")
    rows = AccessRequest.objects.select_for_update(of=("self",), no_key=True).select_related(
        "organisation", "machine__plant__organisation", "machine__gateway", "person", "rule__profile"
    )
    row = rows.filter(public_id=request, pk__in=visible).first()
    if row is None:
        raise NotFound(f"access request {request}")
    return row


def _decide(
    actor: Person, request: str, reason: str, *, approved: bool, minutes: int | None = None, narrower: str = ""
) -> AccessRequest:
    row, reason = locked_request(actor, request), clean_remark(reason)
    if same_person(row.person, actor):
        raise OwnRequest("whoever asks may not decide")
    set_aside(row)
    used = answered_for(row)
    standing_in = authority(actor, row.organisation_id, timezone.now(), asked_by=row.person, used=used, request=row.pk)
    if row.state != RequestState.PENDING or actor.pk in used or actor.pk in answered_by(row):
        raise AlreadyDecided(f"request {request} is {row.state}")
    if approved:
        standing_in = yes_authority(actor, row, timezone.now(), used)
    before = said_to_one(row)
    if minutes is not None:
        check_minutes(minutes, row.minutes)
    less = narrower_named(row.machine, narrower)
    if less is not None and row.approvals.filter(counts=True).exclude(narrower=None).exclude(narrower=less).exists():
        raise NarrowedOtherwise(f"somebody narrowed {request} to another profile")
    made, _ = row.approvals.update_or_create(  # one that counts no more is said again
        decided_by=actor,
        defaults={
            "asked_by_id": row.person_id, "substitution": standing_in, "approved": approved, "reason": reason,
            "minutes": minutes, "narrower": less, "mark": mark_of(row.rule), "counts": True,
            "decided_at": timezone.now(), **(before if approved else NOTHING_SAID).place,
        },
    )  # fmt: skip
    said = {"reason": reason, "substitution": standing_in.public_id if standing_in else ""}
    said |= {"for_level": made.in_level} if approved else {}
    if approved and (missing := approvals_missing(row)):
        asked = said_to_one(row).number
        record_request("agreed", row, actor.public_id, missing=missing,
                       level_asked=str(asked) if asked != before.number else "", **said)  # fmt: skip
        return row
    row.close(RequestState.APPROVED if approved else RequestState.REFUSED)
    row.save(update_fields=["state"])
    record_request("approved" if approved else "refused", row, actor.public_id, **said)
    return row


@transaction.atomic
def approve(*, actor: Person, request: str, reason: str = "", profile: str | None = None) -> Grant:
    """The one yes that is needed, or the last. Raise MoreApprovals, and keep nothing, where others are missing."""
    grant = agree(actor=actor, request=request, reason=reason, profile=profile)
    if grant is None:
        raise MoreApprovals(f"request {request} needs more than this yes")
    return grant


@transaction.atomic
def agree(
    *, actor: Person, request: str, reason: str = "", profile: str | None = None, minutes: int | None = None,
    narrower: str = "",
) -> Grant | None:  # fmt: skip
    """One yes. None while others are missing; with the last the grant, its approval and the events commit together, or
    none of them. ``minutes``: fewer than were asked for; of several yeses the shortest counts.

    ``profile`: the mark (``profiles.mark_of``) of what whoever approves had before their eyes, empty for nothing. Raise
    ProfileChanged when it is another one by now. ``narrower``: name of a profile that has to admit all of it too.
    """
    row = _decide(actor, request, reason, approved=True, minutes=minutes, narrower=narrower)
    if profile is not None and profile != mark_of(row.rule):
        raise ProfileChanged(f"the profile of {request} is another than {profile!r}")
    return give(row, actor.public_id) if row.state == RequestState.APPROVED else None


@transaction.atomic
def refuse(*, actor: Person, request: str, reason: str) -> AccessRequest:
    return _decide(actor, request, reason, approved=False)


@transaction.atomic
def cancel(*, actor: Person, request: str) -> AccessRequest:
    """By whoever asked, while it is pending."""
    row = locked_request(actor, request)
    if row.person_id != actor.pk:
        raise Denied("only whoever asked may cancel")
    row.close(RequestState.CANCELLED)
    row.save(update_fields=["state"])
    record_request("cancelled", row, actor.public_id)
    return row


# -- grants -----------------------------------------------------------------------------------------------------


def _grant_to_change(actor: Person, grant: str, *, while_draining: bool = False) -> Grant:
    visible = Grant.objects.visible_to(actor).values("pk")
    rows = Grant.objects.select_for_update(of=("self",), no_key=True).select_related(
        "organisation", "machine__plant", "person", "rule", "request"
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
    if same_person(row.person, actor):
        raise OwnRequest("whoever works may not extend")
    standing_in = authority(actor, row.organisation_id, timezone.now(), asked_by=row.person)
    prolong(row, minutes, actor.public_id, by=actor, standing_in=standing_in)
    return row


def prolong(
    row: Grant, minutes: int, actor: str, *, by: Person | None = None, standing_in: Substitution | None = None
) -> None:
    """A grant that is locked, by who was asked before. What waited for it is answered with it. Raise NoLonger."""
    check_minutes(minutes, row.rule.max_minutes)
    before = row.ends_at
    row.lengthen(minutes, now := timezone.now())
    require_longer(row, before, now)
    row.save(update_fields=["ends_at"])
    record(
        "access.grant.extended",
        organisation=row.organisation.public_id,
        actor=actor,
        grant=row.public_id,
        machine=row.machine.public_id,
        person=row.person.public_id,
        ends_at=row.ends_at.isoformat(timespec="seconds"),
        previous_ends_at=before.isoformat(timespec="seconds"),
    )
    answer_with_yes(row, minutes, now, by=by, standing_in=standing_in)


@transaction.atomic
def revoke(*, actor: Person, grant: str, reason: str, ending: Ending = Ending.ADMINISTRATIVE) -> Grant:
    """By the owner's people, or by its holder giving it back. SECURITY cuts its sessions, the other drains them."""
    row = _grant_to_change(actor, grant)
    if row.person_id != actor.pk:
        require(actor, row.organisation_id, works_here, Power.CUT)
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
