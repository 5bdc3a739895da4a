# SPDX-License-Identifier: Apache-2.0
"""Delegating to a provider, and what goes with it. Withdrawing ends sessions too: ``access.withdrawal``."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from portineria.control.audit.models import Event
from portineria.control.audit.services import record
from portineria.control.identity.authority import administers, approves, organisation_of, require
from portineria.control.identity.delegation_models import LONGEST_INCIDENT_HOURS, Delegation, DelegationQuerySet, Power
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.pseudonyms import make_halves, pseudonym
from portineria.control.identity.services import BadField
from portineria.control.identity.words import clean_words
from portineria.core.errors import Conflict, NotFound
from portineria.core.ids import Kind

MOST_DELEGATIONS = 20  # of one customer
MOST_GIVEN_IN_AN_HOUR = 60  # by one customer; both registers have each of them. Withdrawing is never kept back
_SOON, _HOUR = timedelta(minutes=5), timedelta(hours=1)


class TooManyProviders(Conflict):
    code = "identity.delegation.too-many"


class GivenTooOften(Conflict):
    code = "identity.delegation.too-often"


class NoIncident(Conflict):
    code = "identity.delegation.no-incident"


class IncidentRuns(Conflict):
    code = "identity.delegation.incident-runs"


def given_by(actor: Person) -> DelegationQuerySet:
    """By the organisations whose staff the actor is, also what ended."""
    rows = Delegation.objects.filter(organisation__in=actor.staff_of).select_related("organisation", "provider")
    return rows.order_by("provider__name", "pk")


def given(actor: Person, delegation: str) -> Delegation:
    row = given_by(actor).filter(public_id=delegation).first()
    if row is None:
        raise NotFound(f"delegation {delegation}")
    return row


@transaction.atomic
def delegate(
    *, actor: Person, organisation: str, provider: str, powers: Iterable[Power], ends_at: datetime | None = None,
    incident_hours: int = 0,
) -> Delegation:  # fmt: skip
    """Give, or give anew in place of what was given before; the same again changes nothing, for both registers hear.
     ``provider``: its organisation's id, as it says it.

    Raise NotFound, BadField, TooManyProviders, GivenTooOften; IncidentRuns for fewer powers, or an earlier end, while
    one runs.
    """
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)  # one after the other, for the number
    other = Organisation.objects.filter(public_id=provider).exclude(pk=owner.pk).first()
    if other is None:
        raise BadField("provider", "the id of another organisation")
    now = timezone.now()
    row = Delegation.objects.select_for_update(no_key=True).filter(organisation=owner, provider=other).first()
    if row is None and Delegation.objects.filter(organisation=owner).count() >= MOST_DELEGATIONS:
        raise TooManyProviders(f"{organisation} has {MOST_DELEGATIONS} already")
    if row is None:
        row = Delegation(organisation=owner, provider=other)
        make_halves(row)
    before = _said(row)
    _change(row, _clean_powers(powers), _clean_end(ends_at, now), _clean_hours(incident_hours), now)
    if _said(row) == before:  # of a new row it differs: there is at least one power
        return row
    if given_lately(owner.public_id, now) >= MOST_GIVEN_IN_AN_HOUR:
        raise GivenTooOften(f"{organisation} gave {MOST_GIVEN_IN_AN_HOUR} within an hour")
    row.save()
    _record("given", row, actor, powers=" ".join(row.powers), incident_hours=row.incident_hours,
            ends_at=row.ends_at.isoformat(timespec="seconds") if row.ends_at else "")  # fmt: skip
    return row


def given_lately(organisation: str, now: datetime) -> int:
    """By this customer within an hour. As a provider it hears of the customers' own, which do not count here."""
    told = Event.objects.filter(organisation=organisation, code="identity.delegation.given")
    newest = told.exclude(actor__startswith=f"{Kind.ORGANISATION.value}_").order_by("-pk").values_list("at", flat=True)
    return sum(at > now - _HOUR for at in newest[:MOST_GIVEN_IN_AN_HOUR])


def _said(row: Delegation) -> tuple[object, ...]:
    return (*row.powers, row.ends_at, row.withdrawn_at, row.incident_hours)


def _change(row: Delegation, powers: set[Power], ends_at: datetime | None, hours: int, now: datetime) -> None:
    before = set(row.powers)
    row.give(powers)
    if row.incident_at(now):
        sooner = ends_at is not None and (row.ends_at is None or ends_at < row.ends_at)
        if sooner or not before <= set(row.powers):
            raise IncidentRuns(f"{row.public_id}: until {row.incident_until}")
    row.given_at, row.ends_at, row.withdrawn_at, row.incident_hours = now, ends_at, None, hours


def _clean_powers(powers: Iterable[Power]) -> set[Power]:
    found = set(powers)
    if not found:
        raise BadField("powers", "at least one")
    return found


def _clean_end(ends_at: datetime | None, now: datetime) -> datetime | None:
    if ends_at is not None and ends_at < now + _SOON:
        raise BadField("ends_at", "a time to come")
    return ends_at


def _clean_hours(hours: int) -> int:
    if not 0 <= hours <= LONGEST_INCIDENT_HOURS:
        raise BadField("incident_hours", f"0 to {LONGEST_INCIDENT_HOURS}", most=LONGEST_INCIDENT_HOURS)
    return hours


def locked(actor: Person, delegation: str) -> Delegation:
    """Of either side. Raise NotFound."""
    seen = Delegation.objects.visible_to(actor).filter(public_id=delegation).values("pk")
    rows = Delegation.objects.select_for_update(of=("self",), no_key=True).select_related("organisation", "provider")
    row = rows.filter(pk__in=seen).first()
    if row is None:
        raise NotFound(f"delegation {delegation}")
    return row


def locked_pair(actor: Person, delegation: str) -> Delegation:
    """As ``locked``, whether anything is delegated still or not. Raise NotFound."""
    own = Q(organisation__in=actor.staff_of) | Q(provider__in=actor.staff_of)
    rows = Delegation.objects.select_for_update(of=("self",), no_key=True).select_related("organisation", "provider")
    row = rows.filter(own, public_id=delegation).first()
    if row is None:
        raise NotFound(f"delegation {delegation}")
    return row


def end(*, actor: Person, delegation: str, reason: str) -> Delegation:
    """By the customer, at once or with the end of a running incident. Inside a transaction: ``access.withdrawal``."""
    row = locked(actor, delegation)
    require(actor, row.organisation_id, administers)
    now = timezone.now()
    if row.withdrawn_at is not None or not row.holds(now):
        raise Conflict(f"delegation {delegation} ended already")
    row.withdraw(now)
    row.save(update_fields=["withdrawn_at", "ends_at", "incident_hours"])
    _record("withdrawn", row, actor, ends_at=_iso(row.ends_at), reason=reason)
    return row


def end_by_provider(*, actor: Person, delegation: str, reason: str) -> Delegation:
    """At once, and by nobody's leave. Inside a transaction: ``access.withdrawal``. Raise NotFound, Denied."""
    row = locked(actor, delegation)
    require(actor, row.provider_id, administers)
    reason, now = clean_words(reason), timezone.now()
    if not row.holds(now):  # of what ended only the customer's people are told
        raise NotFound(f"delegation {delegation}")
    row.decline(now)
    row.save(update_fields=["withdrawn_at", "ends_at", "incident_hours", "incident_until"])
    _record("declined", row, actor, reason=reason)
    return row


@transaction.atomic
def declare_incident(*, actor: Person, delegation: str, reason: str) -> Delegation:
    """By whoever approves at the provider, once for each time the customer granted it: until its end nobody withdraws.

    Raise NotFound, Denied, NoIncident.
    """
    row = locked(actor, delegation)
    require(actor, row.provider_id, approves)
    reason = clean_words(reason)
    now = timezone.now()
    if not row.holds(now) or row.withdrawn_at is not None or not row.incident_hours or row.incident_at(now):
        raise NoIncident(f"delegation {delegation} grants none now")
    row.declare_incident(now)
    row.save(update_fields=["incident_until", "incident_hours"])
    _record("incident-declared", row, actor, until=_iso(row.incident_until), reason=reason)
    return row


def _iso(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""


def _record(what: str, row: Delegation, actor: Person, **fields: Any) -> None:
    """In both registers, in the order of all who record in several. The provider's people have their pseudonym in the
    customer's; of the customer's people the provider hears that theirs did it.
    """
    of_customer = row.organisation_id in actor.staff_of
    for one in sorted((row.organisation, row.provider), key=lambda organisation: organisation.pk):
        if one.pk == row.organisation_id:
            who = actor.public_id if of_customer else pseudonym(row, actor)
        else:
            who = row.organisation.public_id if of_customer else actor.public_id
        record(
            f"identity.delegation.{what}", organisation=one.public_id, actor=who, delegation=row.public_id,
            customer=row.organisation.public_id, customer_name=row.organisation.name,
            provider_organisation=row.provider.public_id, provider_name=row.provider.name, **fields,
        )  # fmt: skip
