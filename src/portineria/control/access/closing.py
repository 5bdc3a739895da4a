# SPDX-License-Identifier: Apache-2.0
"""Requests that nobody decides: too late, or a yes would open nothing."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from portineria.control.access.facts import prospects
from portineria.control.access.models import AccessRequest, RequestQuerySet, RequestState, Rule
from portineria.control.access.recurring import last_moment
from portineria.control.access.waiting_extensions import look_after_extensions
from portineria.control.audit.services import record
from portineria.control.identity.authority import SYSTEM
from portineria.control.identity.gone import lock_out_gone
from portineria.core.errors import Conflict
from portineria.policy.ending import BY_LOCK, Reason

PENDING = timedelta(days=7)  # an undecided request without a start is forgotten after that
_TIMES = ("made_at", "starts_at", "minutes", "until")
# What ends a request that waits. A person's lock, a gateway's or a second factor's absence may be over tomorrow: that
# only keeps it from being approved now.
_LAPSING = frozenset({Reason.NO_RULE, Reason.NO_MEMBERSHIP, Reason.SUPPLIER_DISABLED, Reason.NO_GROUP})
_PERSON = frozenset({Reason.PERSON_DISABLED, Reason.NO_MEMBERSHIP, Reason.SUPPLIER_DISABLED})


class PersonLocked(Conflict):
    code = "access.person-locked"


class RuleGone(Conflict):
    code = "access.rule-gone"


class LockedNow(Conflict):
    code = "access.locked"


class NotRecorded(Conflict):
    code = "access.request.not-recorded"


class TicketDoesNotHold(Conflict):
    code = "access.request.ticket"


class MachineClosed(Conflict):
    code = "access.machine-closed"


class WithoutSecondFactor(Conflict):
    code = "access.person-without-factor"


def require_prospect(request: AccessRequest, at: datetime) -> None:
    """Where a yes would open nothing raise PersonLocked, LockedNow, RuleGone, TicketDoesNotHold, NotRecorded,
    WithoutSecondFactor or MachineClosed.
    """
    denials = prospects([request], at)[request.pk].denials
    if not denials:
        return
    why = f"a yes to {request.public_id} would open nothing: {_words(denials)}"
    if _PERSON & set(denials):
        raise PersonLocked(why)
    if set(BY_LOCK.values()) & set(denials):
        raise LockedNow(why)
    if Reason.NO_RULE in denials or Reason.NO_GROUP in denials:
        raise RuleGone(why)
    if Reason.TICKET in denials:
        raise TicketDoesNotHold(why)
    if Reason.NOT_RECORDED in denials:
        raise NotRecorded(why)
    raise WithoutSecondFactor(why) if Reason.SECOND_FACTOR in denials else MachineClosed(why)


def record_request(what: str, request: AccessRequest, actor: str, **fields: Any) -> None:
    record(
        f"access.request.{what}",
        organisation=request.organisation.public_id,
        actor=actor,
        about=actor,
        request=request.public_id,
        machine=request.machine.public_id,
        person=request.person.public_id,
        **fields,
    )


def look_after_requests(at: datetime) -> None:
    """Called by the timer, each second."""
    remind_of_requests(at)
    expire_requests(at)
    lapse_requests(at)
    look_after_extensions(at)
    lock_out_gone(at)


def expire_requests(at: datetime) -> int:
    """Close what nobody decided in time. Called by the timer, each second: the lock is taken only if there is some."""
    waiting = AccessRequest.objects.filter(state=RequestState.PENDING)
    over = [row.pk for row in waiting.only(*_TIMES) if _over(row) <= at]
    return _close_expired(waiting.filter(pk__in=over)) if over else 0


@transaction.atomic
def _close_expired(waiting: RequestQuerySet) -> int:
    closing = list(_locked(waiting))
    for row in closing:
        row.close(RequestState.EXPIRED)
        row.save(update_fields=["state"])
        record_request("expired", row, SYSTEM)
    return len(closing)


def remind_of_requests(at: datetime) -> int:
    """Say once of what will expire undecided; each second, as above."""
    waiting = AccessRequest.objects.filter(state=RequestState.PENDING, reminded_at__isnull=True)
    late = [row.pk for row in waiting.only(*_TIMES) if _reminder(row) <= at < _over(row)]
    return _remind(waiting.filter(pk__in=late), at) if late else 0


@transaction.atomic
def _remind(waiting: RequestQuerySet, at: datetime) -> int:
    rows = list(_locked(waiting))
    for row in rows:
        row.reminded_at = at
        row.save(update_fields=["reminded_at"])
        record_request("reminded", row, SYSTEM, ends_at=_over(row).isoformat(timespec="seconds"))
    return len(rows)


def _reminder(row: AccessRequest) -> datetime:
    """When the last quarter of its time begins, a day before its end at the earliest: before it should start, where it
    says when.
    """
    limit = row.starts_at if row.starts_at and row.starts_at > row.made_at else _over(row)
    return limit - min((limit - row.made_at) / 4, timedelta(days=1))


def _over(row: AccessRequest) -> datetime:
    if row.until is not None:  # it comes again: what is left of it is worth a yes
        return min(max(row.made_at, row.starts_at or row.made_at) + PENDING, last_moment(row.until))
    return row.starts_at + timedelta(minutes=row.minutes) if row.starts_at else row.made_at + PENDING


def _locked(waiting: "QuerySet[AccessRequest]") -> "QuerySet[AccessRequest]":
    """In the one order in which everybody locks them, and in that of their organisations, whose ledgers they go to."""
    rows = waiting.select_for_update(of=("self",), no_key=True).select_related("organisation", "machine", "person")
    return rows.order_by("organisation_id", "pk")


def hold_waiting(rule: Rule) -> None:
    """Lock what waits under this rule before the rule's own event locks the ledger: whoever decides a request has the
    request first and the ledger second.
    """
    list(_locked(AccessRequest.objects.filter(state=RequestState.PENDING, rule=rule)))


def lapse_requests(at: datetime, rule: Rule | None = None) -> int:
    """Close what waits in vain: its rule ended or was narrowed, its person or their supplier is gone.

    Called by the timer, and at once for a ``rule`` that changes. Return how many were closed. Decides outside the
    transaction, looks again inside it: the lock is held for the few that lapse only.
    """
    waiting = AccessRequest.objects.filter(state=RequestState.PENDING)
    if rule is not None:
        waiting = waiting.filter(rule=rule)
    found = _in_vain(waiting, at)
    return _close_lapsed(waiting.filter(pk__in=found), at) if found else 0


def _in_vain(waiting: RequestQuerySet, at: datetime) -> dict[int, tuple[Reason, ...]]:
    judged = prospects(waiting.select_related("rule", "machine__plant", "machine__gateway"), at)
    return {pk: decision.denials for pk, decision in judged.items() if _LAPSING & set(decision.denials)}


@transaction.atomic
def _close_lapsed(waiting: RequestQuerySet, at: datetime) -> int:
    lapsing = _in_vain(waiting, at)
    count = 0
    for row in _locked(waiting.filter(pk__in=lapsing)):
        row.close(RequestState.LAPSED)
        row.lapsed_why = _words(lapsing[row.pk])
        row.save(update_fields=["state", "lapsed_why"])
        record_request("lapsed", row, SYSTEM, why=row.lapsed_why)
        count += 1
    return count


def _words(denials: tuple[Reason, ...]) -> str:
    return " ".join(reason.value for reason in denials)
