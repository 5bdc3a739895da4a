# SPDX-License-Identifier: Apache-2.0
"""Whoever works asks for more time; whoever may approve prolongs that very grant, or says why not."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from portineria.control.access.answerable import for_decision_by
from portineria.control.access.deciding import authority, same_person
from portineria.control.access.extension import EXTENSION_REASON, Extension, ExtensionQuerySet, ExtensionState
from portineria.control.access.firm import firm_by_grant
from portineria.control.access.models import AlreadyDecided, Grant
from portineria.control.access.queries import visible_machine
from portineria.control.access.services import GrantEnded, OwnRequest, extend, prolong
from portineria.control.access.waiting_extensions import end_of, record_extension
from portineria.control.access.windows import require_longer
from portineria.control.identity.authority import SYSTEM
from portineria.control.identity.models import Person
from portineria.control.identity.service_accounts import answering
from portineria.control.identity.services import BadField
from portineria.control.identity.words import clean_words
from portineria.core.errors import Conflict, NotFound

MOST_ASKED = 10  # times for one grant: whoever approves reads each


class ExtensionWaits(Conflict):
    code = "access.extension.waits"


class NothingAsked(Conflict):
    code = "access.extension.none"


class TooManyExtensions(Conflict):
    code = "access.extension.too-many"


@transaction.atomic
def ask_for_more(*, actor: Person, grant: str, minutes: int, reason: str) -> Extension:
    """By whoever the grant is for, until what runs under it has to be finished. Where the rule needs no approval it is
    prolonged at once. Nothing is asked that a yes could not give.

    Raise NotFound, BadField, GrantEnded, NoLonger, OutsideWindows, ExtensionWaits, TooManyExtensions.
    """
    row = _locked_grant(Grant.objects.visible_to(actor).filter(public_id=grant, person=actor).values("pk"), grant)
    now, reason = timezone.now(), clean_words(reason)
    if row.revoked_at is not None or end_of(row) <= now:
        raise GrantEnded(f"grant {grant} ended already")
    asked = Extension.objects.filter(grant=row)
    if asked.waiting().exists():
        raise ExtensionWaits(f"more time for {grant} is asked for already")
    if asked.count() >= MOST_ASKED:
        raise TooManyExtensions(f"more time for {grant} was asked for {MOST_ASKED} times")
    _require_possible(row, minutes)
    made = Extension.objects.create(
        organisation=row.organisation, grant=row, person=row.person, minutes=minutes, reason=reason, asked_at=now
    )
    record_extension(
        "asked", made, actor.public_id, minutes=minutes, ends_at=row.ends_at.isoformat(timespec="seconds"),
        reason=reason, answered_by=answering(actor),
    )  # fmt: skip
    if not row.rule.needs_approval and not row.rule.emergency:
        prolong(row, minutes, SYSTEM)
    return made


def _require_possible(row: Grant, minutes: int) -> None:
    """Raise as the extension itself would; in memory only."""
    if not 1 <= minutes <= row.rule.max_minutes:
        raise BadField("minutes", f"1 to {row.rule.max_minutes}", most=row.rule.max_minutes)
    tried, before, now = (
        Grant.objects.select_related("rule", "machine__plant").get(pk=row.pk),
        row.ends_at,
        timezone.now(),
    )
    tried.lengthen(minutes, now)
    require_longer(tried, before, now)


@transaction.atomic
def agree_to_more(*, actor: Person, extension: str) -> Grant:
    """One yes, by the one way in which a grant is prolonged. Raise NotFound, Denied, AlreadyDecided; as ``extend``."""
    row = _waiting(actor, extension)
    return extend(actor=actor, grant=row.grant.public_id, minutes=row.minutes)


@transaction.atomic
def refuse_more(*, actor: Person, extension: str, reason: str) -> Extension:
    """The grant keeps its end."""
    row = _waiting(actor, extension)
    row.state, row.decided_by, row.decided_at = ExtensionState.REFUSED, actor, timezone.now()
    row.substitution = authority(actor, row.organisation_id, row.decided_at, asked_by=row.person)
    row.answer = reason[:EXTENSION_REASON]
    row.save(update_fields=["state", "decided_by", "decided_at", "substitution", "answer"])
    record_extension(
        "refused", row, actor.public_id, reason=row.answer,
        substitution=row.substitution.public_id if row.substitution else "",
    )  # fmt: skip
    return row


@transaction.atomic
def withdraw_more(*, actor: Person, extension: str) -> Extension:
    """By whoever asked, while nobody has decided. What runs keeps its end. Raise NotFound, AlreadyDecided."""
    seen = Extension.objects.visible_to(actor).filter(public_id=extension, person=actor)
    grant = _locked_grant(seen.values("grant"), extension)
    row = seen.select_related("organisation", "person").get()
    row.grant = grant
    if row.state != ExtensionState.PENDING:
        raise AlreadyDecided(f"extension {extension} is {row.state}")
    row.state = ExtensionState.CANCELLED
    row.save(update_fields=["state"])
    record_extension("cancelled", row, actor.public_id)
    return row


def withdraw_more_at(*, actor: Person, machine: str) -> Extension:
    """What the actor asked for at a machine, by id or name. Raise NotFound, NothingAsked, AlreadyDecided."""
    there = visible_machine(actor, machine).machine
    row = (
        Extension.objects.visible_to(actor).waiting().filter(person=actor, grant__machine=there).order_by("pk").first()
    )
    if row is None:
        raise NothingAsked(f"{actor.public_id} waits for no more time at {there.public_id}")
    return withdraw_more(actor=actor, extension=row.public_id)


def _waiting(actor: Person, extension: str) -> Extension:
    """Its grant locked: two who decide at once come one after the other."""
    seen = Extension.objects.visible_to(actor).filter(public_id=extension)
    grant = _locked_grant(seen.values("grant"), extension)
    row = seen.select_related("organisation", "person").get()
    row.grant = grant
    if same_person(row.person, actor):
        raise OwnRequest("whoever asks may not decide")
    authority(actor, row.organisation_id, timezone.now(), asked_by=row.person)
    if row.state != ExtensionState.PENDING:
        raise AlreadyDecided(f"extension {extension} is {row.state}")
    return row


def _locked_grant(keys: QuerySet[Any, Any], named: str) -> Grant:
    rows = Grant.objects.select_for_update(of=("self",), no_key=True).select_related(
        "organisation", "machine__plant", "person", "rule", "request"
    )
    row = rows.filter(pk__in=keys).first()
    if row is None:
        raise NotFound(named)
    return row


# -- reading ----------------------------------------------------------------------------------------------------


def extensions(actor: Person) -> ExtensionQuerySet:
    """``firm``: the supplier for which whoever asks works."""
    found = Extension.objects.visible_to(actor).select_related(
        "organisation", "person", "decided_by", "substitution__approver", "grant__request", "grant__rule__supplier",
        "grant__rule__watcher", "grant__machine__plant__organisation", "grant__machine__line",
    ).annotate(firm=firm_by_grant())  # fmt: skip
    return found.prefetch_related("grant__rule__watchers").order_by("-asked_at", "-pk")


def extension(actor: Person, public_id: str) -> Extension:
    found = extensions(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"extension {public_id}")
    return found


def decidable_extensions(actor: Person, at: datetime | None = None) -> ExtensionQuerySet:
    """Waiting for this very person; what ends first is first."""
    found = extensions(actor).waiting().filter(for_decision_by(actor, at or timezone.now()))
    return found.exclude(person=actor).exclude(person__answered_by=actor).order_by("grant__ends_at", "pk")


def grant_running(actor: Person, machine: str) -> Grant:
    """Their own that began and can still be prolonged, of a machine by id or name. Raise NotFound, GrantEnded."""
    now = timezone.now()
    own = Grant.objects.visible_to(actor).filter(
        person=actor, machine=visible_machine(actor, machine).machine, revoked_at__isnull=True, starts_at__lte=now
    )
    for row in own.select_related("machine").order_by("-ends_at", "-pk")[:1]:
        if end_of(row) > now:
            return row
    raise GrantEnded(f"{actor.public_id} has nothing at {machine} that could be prolonged")
