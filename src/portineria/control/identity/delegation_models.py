# SPDX-License-Identifier: Apache-2.0
"""What a customer delegates to a provider, and what that lets the provider's people see and do there.

A customer and a provider are two organisations; one row says what holds between them. The provider's people act in a
customer as *analysts*: accounts of their own, one for each of them there, under a pseudonym (``pseudonyms``).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from portineria.core.ids import Kind, new_id

if TYPE_CHECKING:
    from portineria.control.identity.models import Membership, Person, Supplier

LONGEST_INCIDENT_HOURS = 72


class Power(models.TextChoices):
    """All that can be delegated: what is not here a provider cannot get."""

    ESTATE = "estate"  # see plants, lines, machines, gateways
    WORK = "work"  # see requests, grants and sessions
    DECIDE = "decide"  # approve, refuse, extend; answer what is held
    WATCH = "watch"  # look on at what a session does
    CUT = "cut"  # cut, end, freeze sessions; revoke grants
    LOCK = "lock"  # lock machines, lines, zones, plants, gateways; lift what the provider locked
    REGISTER = "register"  # read the register
    SINK = "sink"  # bring its events to the provider's own systems


# Nobody decides about, watches or cuts what they do not see.
BUILDS_ON = {
    Power.DECIDE: Power.WORK, Power.WATCH: Power.WORK, Power.CUT: Power.WORK, Power.LOCK: Power.ESTATE,
    Power.SINK: Power.REGISTER,
}  # fmt: skip


class DelegationQuerySet(models.QuerySet["Delegation"]):
    def holding(self, at: datetime) -> "DelegationQuerySet":
        return self.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=at))

    def visible_to(self, actor: "Person") -> "DelegationQuerySet":
        """The customer's people see what theirs gave; the provider's what they have, and of what ended nothing."""
        given = self.filter(organisation__in=actor.staff_of)
        return given | self.holding(timezone.now()).filter(provider__in=actor.staff_of)


class Delegation(models.Model):
    """One row for a customer and a provider, whatever was given and withdrawn: what happened is in the registers.

    ``ends_at``: from then on nothing of it holds; empty until somebody withdraws. ``customer_half`` and
    ``provider_half`` together are the key of the pseudonyms (``pseudonyms``), each wrapped by itself.
    """

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=24, unique=True, editable=False, default=partial(new_id, Kind.DELEGATION)
    )
    organisation = models.ForeignKey("identity.Organisation", on_delete=models.PROTECT, related_name="delegations")
    provider = models.ForeignKey("identity.Organisation", on_delete=models.PROTECT, related_name="customers")
    estate = models.BooleanField(default=False)
    work = models.BooleanField(default=False)
    decide = models.BooleanField(default=False)
    watch = models.BooleanField(default=False)
    cut = models.BooleanField(default=False)
    lock = models.BooleanField(default=False)
    register = models.BooleanField(default=False)
    sink = models.BooleanField(default=False)
    given_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    incident_hours = models.PositiveSmallIntegerField(default=0)  # of one incident that the provider may yet declare
    incident_until = models.DateTimeField(null=True, blank=True)  # until then a withdrawal waits
    customer_half = models.BinaryField(max_length=64)
    provider_half = models.BinaryField(max_length=64)

    objects = DelegationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_delegation_one", fields=["organisation", "provider"]),
            models.CheckConstraint(name="identity_delegation_to_another", condition=~Q(provider=F("organisation"))),
            models.CheckConstraint(
                name="identity_delegation_of_sight",
                condition=(Q(work=True) | Q(decide=False, watch=False, cut=False)) & (Q(estate=True) | Q(lock=False)),
            ),
            models.CheckConstraint(name="identity_delegation_of_register", condition=Q(register=True) | Q(sink=False)),
            models.CheckConstraint(
                name="identity_delegation_withdrawn_ends",
                condition=Q(withdrawn_at__isnull=True) | Q(ends_at__isnull=False),
            ),
            models.CheckConstraint(
                name="identity_delegation_incident", condition=Q(incident_hours__lte=LONGEST_INCIDENT_HOURS)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation_id} to {self.provider_id}"

    def holds(self, at: datetime) -> bool:
        return self.ends_at is None or self.ends_at > at

    @property
    def powers(self) -> list[Power]:
        return [power for power in Power if getattr(self, power.value)]

    def give(self, powers: Iterable[Power]) -> None:
        """In memory, with what each builds on; the service saves it."""
        given = set(powers)
        given |= {BUILDS_ON[power] for power in given if power in BUILDS_ON}
        for power in Power:
            setattr(self, power.value, power in given)

    def incident_at(self, at: datetime) -> bool:
        return self.incident_until is not None and self.incident_until > at

    def withdraw(self, at: datetime) -> None:
        """At once; while an incident runs, with its end. What ends sooner anyway does."""
        end = self.incident_until if self.incident_until is not None and self.incident_until > at else at
        self.withdrawn_at, self.incident_hours = at, 0
        self.ends_at = end if self.ends_at is None else min(self.ends_at, end)

    def decline(self, at: datetime) -> None:
        """By the provider: at once, an incident of its own with it."""
        self.withdrawn_at = self.ends_at = at
        self.incident_hours, self.incident_until = 0, None

    def declare_incident(self, at: datetime) -> None:
        """Once: another one has to be granted again."""
        self.incident_until, self.incident_hours = at + timedelta(hours=self.incident_hours), 0


def provides(at: datetime) -> Exists:
    """Of a membership: its organisation has customers. Asked with the memberships, as pages count their queries."""
    return Exists(Delegation.objects.holding(at).filter(provider=OuterRef("organisation")))


class ByDelegation(models.Model):
    """Of a membership: what it rests on besides."""

    delegation = models.ForeignKey(Delegation, models.PROTECT, null=True, blank=True, related_name="memberships")
    approves_there = models.BooleanField(default=True)  # of an analyst: who is behind them, at the provider (``gone``)
    supplier: "models.ForeignKey[Supplier | None, Supplier | None]"
    over: bool

    class Meta:
        abstract = True

    @property
    def holds(self) -> bool:
        if self.over or (self.supplier is not None and not self.supplier.enabled):
            return False
        return self.delegation is None or self.delegation.holds(timezone.now())


class ActsThere(models.Model):
    """What a person may see where: as staff of an organisation; as an analyst what was delegated, and nothing without
    the person who is behind them (``inside``).
    """

    principal: "Person | None" = None  # of an analyst, in the memory of one request: kept nowhere

    class Meta:
        abstract = True

    @cached_property
    def _memberships(self) -> "list[Membership]":
        raise NotImplementedError  # ``Person`` reads them

    def sees(self, power: Power) -> list[int]:
        """Organisations where this person sees what ``power`` is about."""
        found = [m.organisation_id for m in self._memberships if m.role_here.staff]
        return found + [m.organisation_id for m in self._delegated if self._has(m, power)]

    def holds(self, power: Power, organisation_id: int) -> bool:
        """By delegation: the roles of an organisation's own people are another matter."""
        return any(m.organisation_id == organisation_id and self._has(m, power) for m in self._delegated)

    @property
    def has_customers(self) -> bool:
        return any(m.role_here.staff and getattr(m, "provides", False) for m in self._memberships)

    @property
    def _delegated(self) -> "list[Membership]":
        return [m for m in self._memberships if m.delegation is not None] if self.principal is not None else []

    def _has(self, membership: "Membership", power: Power) -> bool:
        """Whoever may not decide at the provider's own does not decide for its customers."""
        delegation, behind = membership.delegation, self.principal
        if delegation is None or behind is None or power not in delegation.powers:
            return False
        role = behind.role_in(delegation.provider_id)
        if role is None or power is Power.SINK:
            return role is not None and role.administers
        return role.approves if power is Power.DECIDE else role.staff

    def acts_by(self, power: Power) -> list[int]:
        """Keys of the delegations that give it now."""
        return [m.delegation_id for m in self._delegated if m.delegation_id is not None and self._has(m, power)]

    def may_watch(self, organisation_id: int) -> bool:
        """May look on at a session that they see."""
        return self.principal is None or self.holds(Power.WATCH, organisation_id)

    def told_of(self, power: Power) -> frozenset[str]:
        """As ``sees``, by their public ids."""
        there = set(self.sees(power))
        return frozenset(m.organisation.public_id for m in self._memberships if m.organisation_id in there)

    @property
    def event_organisations(self) -> frozenset[str]:
        return self.told_of(Power.REGISTER)


class QuestionState(models.TextChoices):
    ASKED = "asked"
    ANSWERED = "answered"
    REFUSED = "refused"


class NameQuestion(models.Model):
    """Who is behind a pseudonym? One of the two organisations asks, the other one says yes or no."""

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=24, unique=True, editable=False, default=partial(new_id, Kind.NAME_QUESTION)
    )
    delegation = models.ForeignKey(Delegation, on_delete=models.PROTECT, related_name="questions")
    analyst = models.ForeignKey("identity.Person", on_delete=models.PROTECT, related_name="asked_about")
    by_customer = models.BooleanField()
    reason = models.CharField(max_length=500)
    asked_by = models.ForeignKey("identity.Person", on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=8, choices=QuestionState.choices, default=QuestionState.ASKED)
    answered_by = models.ForeignKey(
        "identity.Person", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    answered_at = models.DateTimeField(null=True, blank=True)
    person = models.ForeignKey("identity.Person", on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="identity_question_once", fields=["analyst", "by_customer"], condition=Q(state="asked")
            ),
            models.CheckConstraint(
                # No name without a yes of somebody who did not ask.
                name="identity_question_two_yeses",
                condition=Q(person__isnull=True)
                | (Q(state="answered", answered_by__isnull=False) & ~Q(answered_by=F("asked_by"))),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.analyst_id}: {self.state}"

    @property
    def asked_of(self) -> int:
        """Key of the organisation that says yes or no."""
        return self.delegation.provider_id if self.by_customer else self.delegation.organisation_id
