# SPDX-License-Identifier: Apache-2.0
"""Who may ask for what: rules, their versions, and what they would allow."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, Field

from portineria.control.access import queries, services
from portineria.control.access.models import MOST_APPROVALS, MOST_FACTOR_MINUTES, Rule, RuleVersion
from portineria.control.access.rules import RULE_MINUTES, Conditions
from portineria.control.access.training import MOST_TRAININGS
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Machine
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Person
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.estate import Search
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, Reason, acts, reads
from portineria.control.rest.reach import ReachView, reach_views

router = Router(tags=["rules"])
_MACHINES = 2000  # as the console's form; more are declared in a file


class RuleView(Schema):
    """For all people of a supplier, or for one person. ``windows``: by the clock of each machine's plant."""

    rule: str
    organisation: str
    supplier: str | None
    person: str | None
    machines: int
    max_minutes: int
    needs_approval: bool
    approvals: int
    needs_reference: bool
    needs_recording: bool
    watcher: str | None
    profile: str | None
    only_decoded: bool
    windows: str
    created_at: datetime
    trainings: list[str]
    factor_minutes: int | None
    needs_listed_reason: bool
    needs_device: bool


class NamedMachine(Schema):
    machine: str
    name: str
    plant: str


class VersionView(Schema):
    """``terms``: what the rule said from then on; ``added`` and ``removed``: ids of machines."""

    number: int
    by: str | None
    made_at: datetime
    terms: dict[str, Any]
    added: list[str]
    removed: list[str]


def _rule_view(row: Rule) -> RuleView:
    return RuleView(
        rule=row.public_id, organisation=row.organisation.public_id,
        supplier=row.supplier.public_id if row.supplier else None,
        person=row.person.public_id if row.person else None,
        machines=row.__dict__["named"] or 0,  # by ``queries.rules_listed``
        max_minutes=row.max_minutes, needs_approval=row.needs_approval, approvals=row.approvals,
        needs_reference=row.needs_reference, needs_recording=row.needs_recording,
        watcher=row.watcher.public_id if row.watcher else None, profile=row.profile.name if row.profile else None,
        only_decoded=row.only_decoded, windows=row.windows, created_at=row.created_at,
        trainings=row.trainings.split(), factor_minutes=row.factor_minutes,
        needs_listed_reason=row.needs_listed_reason, needs_device=row.needs_device,
    )  # fmt: skip


@reads(router, "/rules", Leaf[RuleView])
def rules(request: HttpRequest, place: Where, search: Query[Search]) -> Leaf[RuleView]:
    """Those that hold, newest first. For staff."""
    actor = person_of(request)
    found = queries.rules_listed(actor, search.q).select_related("watcher")
    return leaf(
        actor, f"rules {search.q}", found, place, lambda rows: [_rule_view(row) for row in rows], newest_first=True
    )


def _rule(actor: Person, rule: str) -> RuleView:
    row = queries.rule(actor, rule)
    return _rule_view(queries.rules_listed(actor).select_related("watcher").get(pk=row.pk))


@reads(router, "/rules/{rule}", RuleView)
def rule(request: HttpRequest, rule: Id) -> RuleView:
    return _rule(person_of(request), rule)


def _named(rows: list[Machine]) -> list[NamedMachine]:
    return [NamedMachine(machine=row.public_id, name=row.name, plant=row.plant.public_id) for row in rows]


@reads(router, "/rules/{rule}/machines", Leaf[NamedMachine])
def rule_machines(request: HttpRequest, rule: Id, place: Where) -> Leaf[NamedMachine]:
    actor = person_of(request)
    row = queries.rule(actor, rule)
    return leaf(actor, f"machines of {row.pk}", estate.machines(actor).filter(rules=row), place, _named)


def _versions(rows: list[RuleVersion]) -> list[VersionView]:
    return [
        VersionView(
            number=row.number, by=row.by.public_id if row.by else None, made_at=row.at, terms=row.terms,
            added=row.added, removed=row.removed,
        )
        for row in rows
    ]  # fmt: skip


@reads(router, "/rules/{rule}/versions", Leaf[VersionView])
def rule_versions(request: HttpRequest, rule: Id, place: Where) -> Leaf[VersionView]:
    """Newest first."""
    actor = person_of(request)
    row = queries.rule(actor, rule)
    return leaf(
        actor, f"versions of {row.pk}", queries.rule_history(actor, row), place, _versions, newest_first=True
    )  # fmt: skip


class Terms(Given):
    """``machines``: ids. ``approvals``: 0 for none. ``profile``: by name, empty for no inspection."""

    machines: list[str] = Field(min_length=1, max_length=_MACHINES)
    max_minutes: int = Field(default=480, ge=1, le=RULE_MINUTES)
    approvals: int = Field(default=1, ge=0, le=MOST_APPROVALS)
    needs_reference: bool = False
    needs_recording: bool = False
    watcher: str = Field(default="", max_length=24)
    profile: str = Field(default="", max_length=60)
    only_decoded: bool = False
    windows: str = Field(default="", max_length=1000)
    trainings: list[str] = Field(default_factory=list, max_length=MOST_TRAININGS, description="Ids.")
    factor_minutes: int = Field(default=0, ge=0, le=MOST_FACTOR_MINUTES, description="0: whenever.")
    needs_listed_reason: bool = False
    needs_device: bool = False

    def taken(self) -> dict[str, Any]:
        """As the services take it."""
        conditions = Conditions(
            max(1, self.approvals), self.needs_reference, self.needs_recording, self.watcher, tuple(self.trainings),
            self.factor_minutes, self.needs_listed_reason, self.needs_device,
        )  # fmt: skip
        return {
            "machines": self.machines, "max_minutes": self.max_minutes, "needs_approval": self.approvals > 0,
            "profile": self.profile, "only_decoded": self.only_decoded, "windows": self.windows,
            "conditions": conditions,
        }  # fmt: skip


class NewRule(Terms):
    """Either a supplier or a person."""

    organisation: str = Field(max_length=24)
    supplier: str = Field(default="", max_length=24)
    person: str = Field(default="", max_length=24)


@acts(router, "/rules", RuleView, Scope.ADMINISTER)
def rule_add(request: HttpRequest, given: NewRule) -> RuleView:
    actor = person_of(request)
    made = services.create_rule(
        actor=actor, organisation=given.organisation, supplier=given.supplier, person=given.person, **given.taken()
    )
    return _rule(actor, made.public_id)


@acts(router, "/rules/{rule}/change", RuleView, Scope.ADMINISTER)
def rule_change(request: HttpRequest, rule: Id, given: Terms) -> RuleView:
    """All of its terms anew; whom it names stays. What it no longer allows ends by its class."""
    actor = person_of(request)
    services.change_rule(actor=actor, rule=rule, **given.taken())
    return _rule(actor, rule)


class Ended(Schema):
    rule: str
    ended_at: datetime


@acts(router, "/rules/{rule}/end", Ended, Scope.ADMINISTER)
def rule_end(request: HttpRequest, rule: Id, given: Reason) -> Ended:
    row = services.end_rule(actor=person_of(request), rule=rule, reason=given.reason)
    assert row.ended_at is not None  # noqa: S101  # the service has just set it
    return Ended(rule=row.public_id, ended_at=row.ended_at)


class Question(Schema):
    organisation: str = Field(max_length=24)
    person: str = Field(max_length=24)
    machine: str = Field(max_length=24)
    at: AwareDatetime | None = Field(default=None, description="Now when left out.")


@reads(router, "/simulation", ReachView)
def simulate(request: HttpRequest, question: Query[Question]) -> ReachView:
    """Would this be allowed at that time, and if not, why? Nothing is asked, given or kept."""
    actor = person_of(request)
    member = identity.member(actor, question.organisation, question.person)
    machine = estate.machine(actor, question.machine)
    return reach_views([(member, member.person, machine)], question.at or timezone.now())[0]
