# SPDX-License-Identifier: Apache-2.0
"""Who may ask for what: rules, their versions, and what they would allow."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import AwareDatetime, Field

from portineria.control.access import queries, services
from portineria.control.access.facts import Beginning
from portineria.control.access.level import MOST_APPROVALS, MOST_LEVELS, MOST_NAMED
from portineria.control.access.levels import LEVELS, LevelTerms, asked_of
from portineria.control.access.models import MOST_FACTOR_MINUTES, Rule, RuleQuerySet, RuleVersion
from portineria.control.access.only_services import MOST_SERVICES, words_of
from portineria.control.access.place import MOST_PLACES
from portineria.control.access.rules import RULE_MINUTES, Conditions
from portineria.control.access.training import MOST_TRAININGS
from portineria.control.access.watchers import MOST_WATCHERS, other_watchers
from portineria.control.console import rule_queries
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Machine
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Person
from portineria.control.remote_sessions.second_yes import foreseen
from portineria.control.rest.approval_levels import LevelView, level_fields
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.estate import Search
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Confirmed, ConfirmedReason, Given, Id, acts, reads
from portineria.control.rest.plant import Signals
from portineria.control.rest.reach import ReachView, reach_views
from portineria.policy.ending import Device

router = Router(tags=["rules"])
_MACHINES = 2000  # as the console's form; more are declared in a file


class RuleView(Schema):
    """For all people of a supplier or a group, or for one person. ``windows``: by the clock of each machine's plant.
    ``machines``: how many it names one by one; ``places``: where it names whatever stands there besides.
    ``approvals``: over all ``levels``, of which the next is asked when the one before is complete; without levels, of
    whoever approves.
    """

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
    needs_maintenance: bool
    signals: list[str]
    group: str | None
    places: list[str]
    only_services: list[str]
    trainings: list[str]
    factor_minutes: int | None
    needs_listed_reason: bool
    needs_device: bool
    least_standing: str | None
    watchers: list[str]
    levels: list[LevelView]


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
        needs_maintenance=row.needs_maintenance, signals=row.signals.split(),
        group=row.group.public_id if row.group else None,
        places=[str(place) for place in row.places.all()], only_services=words_of(row.only_services),
        trainings=row.trainings.split(), factor_minutes=row.factor_minutes,
        needs_listed_reason=row.needs_listed_reason, needs_device=row.needs_device,
        least_standing=row.least_standing or None, watchers=other_watchers(row),
        levels=[LevelView(**level_fields(asked_of(level))) for level in row.levels.all()],
    )  # fmt: skip


@reads(router, "/rules", Leaf[RuleView])
def rules(request: HttpRequest, place: Where, search: Query[Search]) -> Leaf[RuleView]:
    """Those that hold, newest first. For staff."""
    actor = person_of(request)
    found = _whole(queries.rules_listed(actor, search.q))
    return leaf(
        actor, f"rules {search.q}", found, place, lambda rows: [_rule_view(row) for row in rows], newest_first=True
    )


def _rule(actor: Person, rule: str) -> RuleView:
    row = queries.rule(actor, rule)
    return _rule_view(_whole(queries.rules_listed(actor)).get(pk=row.pk))


def _whole(rows: RuleQuerySet) -> RuleQuerySet:
    return rows.select_related("watcher").prefetch_related("watchers", LEVELS)


@reads(router, "/rules/{rule}", RuleView)
def rule(request: HttpRequest, rule: Id) -> RuleView:
    return _rule(person_of(request), rule)


def _named(rows: list[Machine]) -> list[NamedMachine]:
    return [NamedMachine(machine=row.public_id, name=row.name, plant=row.plant.public_id) for row in rows]


@reads(router, "/rules/{rule}/machines", Leaf[NamedMachine])
def rule_machines(request: HttpRequest, rule: Id, place: Where) -> Leaf[NamedMachine]:
    """All that it names now, one by one or by a place."""
    actor = person_of(request)
    row = queries.rule(actor, rule)
    return leaf(actor, f"machines of {row.pk}", rule_queries.named(actor, row), place, _named)


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


class GivenLevel(Given):
    """A group, people, or neither: whoever approves. Whom it names has to be allowed to approve by their role too."""

    approvals: int = Field(default=1, ge=1, le=MOST_APPROVALS)
    group: str = Field(default="", max_length=24)
    people: list[Annotated[str, Field(max_length=24)]] = Field(
        default_factory=list, max_length=MOST_NAMED, description="Ids."
    )

    def taken(self) -> LevelTerms:
        return LevelTerms(self.approvals, self.group, tuple(self.people))


class Terms(Given):
    """``machines``: ids. ``approvals``: 0 for none; at most 5, of whoever approves; not looked at beside ``levels``.
    ``profile``: by name, empty for no inspection. ``places``: such as ``plant North``, ``zone North/Press shop``,
    ``line North/Line 1``, ``label paint``. One machine or place at least.
    """

    machines: list[str] = Field(default_factory=list, max_length=_MACHINES)
    max_minutes: int = Field(default=480, ge=1, le=RULE_MINUTES)
    approvals: int = Field(default=1, ge=0, le=MOST_LEVELS * MOST_APPROVALS)
    needs_reference: bool = False
    needs_recording: bool = False
    watcher: str = Field(default="", max_length=24)
    profile: str = Field(default="", max_length=60)
    only_decoded: bool = False
    windows: str = Field(default="", max_length=1000)
    needs_maintenance: bool = False
    signals: list[Signals] | None = Field(
        default=None, max_length=4,
        description="Kinds of consent signals that have to say yes. Left out: as it was; of a new rule by which "
        "something may be changed, what all of its machines have.",
    )  # fmt: skip
    places: list[str] = Field(default_factory=list, max_length=MOST_PLACES)
    only_services: list[str] = Field(
        default_factory=list, max_length=MOST_SERVICES, description="By name or protocol; none: every service."
    )
    trainings: list[str] = Field(default_factory=list, max_length=MOST_TRAININGS, description="Ids.")
    factor_minutes: int = Field(default=0, ge=0, le=MOST_FACTOR_MINUTES, description="0: whenever.")
    needs_listed_reason: bool = False
    needs_device: bool = False
    least_standing: Literal["", "A", "B", "C", "D"] = Field(
        default="", description="That the supplier of whoever works has to have, A the best; empty: none."
    )
    watchers: list[Annotated[str, Field(max_length=24)]] = Field(
        default_factory=list, max_length=MOST_WATCHERS, description="Besides `watcher`; one of them is enough."
    )
    levels: list[GivenLevel] = Field(
        default_factory=list, max_length=MOST_LEVELS,
        description="Of whom approvals are asked, in this order; none: of whoever approves.",
    )  # fmt: skip

    def taken(self) -> dict[str, Any]:
        """As the services take it."""
        conditions = Conditions(
            approvals=max(1, self.approvals), needs_reference=self.needs_reference,
            needs_recording=self.needs_recording, watcher=self.watcher, needs_maintenance=self.needs_maintenance,
            signals=None if self.signals is None else " ".join(self.signals), trainings=tuple(self.trainings),
            factor_minutes=self.factor_minutes, needs_listed_reason=self.needs_listed_reason,
            needs_device=self.needs_device, least_standing=self.least_standing, watchers=tuple(self.watchers),
            levels=tuple(level.taken() for level in self.levels),
        )  # fmt: skip
        return {
            "machines": self.machines, "max_minutes": self.max_minutes, "needs_approval": self.approvals > 0,
            "profile": self.profile, "only_decoded": self.only_decoded, "windows": self.windows,
            "conditions": conditions, "places": self.places,
            "only_services": self.only_services,
        }  # fmt: skip


class NewRule(Terms):
    """Either a supplier, a person or a group."""

    organisation: str = Field(max_length=24)
    supplier: str = Field(default="", max_length=24)
    person: str = Field(default="", max_length=24)
    group: str = Field(default="", max_length=24)


@acts(router, "/rules", RuleView, Scope.ADMINISTER)
def rule_add(request: HttpRequest, given: NewRule) -> RuleView:
    actor = person_of(request)
    made = services.create_rule(
        actor=actor, organisation=given.organisation, supplier=given.supplier, person=given.person,
        group=given.group, **given.taken(),
    )  # fmt: skip
    return _rule(actor, made.public_id)


class Changed(Terms, Confirmed):
    """All of a rule's terms."""


@acts(router, "/rules/{rule}/change", RuleView, Scope.ADMINISTER)
def rule_change(request: HttpRequest, rule: Id, given: Changed) -> RuleView:
    """All of its terms anew; whom it names stays. What it no longer allows ends by its class; more than five open
    sessions only with a second yes.
    """
    actor = person_of(request)
    foreseen(
        lambda: services.change_rule(actor=actor, rule=rule, **given.taken()), actor=actor,
        organisation=queries.rule(actor, rule).organisation_id, confirmed=given.confirm,
    )  # fmt: skip
    return _rule(actor, rule)


class Ended(Schema):
    rule: str
    ended_at: datetime


@acts(router, "/rules/{rule}/end", Ended, Scope.ADMINISTER)
def rule_end(request: HttpRequest, rule: Id, given: ConfirmedReason) -> Ended:
    """More than five open sessions only with a second yes."""
    actor = person_of(request)
    row = foreseen(
        lambda: services.end_rule(actor=actor, rule=rule, reason=given.reason), actor=actor,
        organisation=queries.rule(actor, rule).organisation_id, confirmed=given.confirm,
    )  # fmt: skip
    assert row.ended_at is not None  # noqa: S101  # the service has just set it
    return Ended(rule=row.public_id, ended_at=row.ended_at)


class Question(Schema):
    organisation: str = Field(max_length=24)
    person: str = Field(max_length=24)
    machine: str = Field(max_length=24)
    at: AwareDatetime | None = Field(default=None, description="Now when left out.")
    factor_minutes: int = Field(default=0, ge=0, le=10080, description="Since the second factor was proved.")
    device: Literal["known", "none", "revoked"] = Field(
        default="known", description="The computer, as the owner has it."
    )
    watched: bool = Field(default=True, description="Whoever has to watch looks on.")

    def beginning(self) -> Beginning:
        watched = None if self.watched else frozenset[int]()
        return Beginning(timedelta(minutes=self.factor_minutes), Device(self.device), watched)


@reads(router, "/simulation", ReachView)
def simulate(request: HttpRequest, question: Query[Question]) -> ReachView:
    """Would this be allowed at that time, and if not, why? Nothing is asked, given or kept."""
    actor = person_of(request)
    member = identity.member(actor, question.organisation, question.person)
    machine = estate.machine(actor, question.machine)
    at = question.at or timezone.now()
    return reach_views([(member, member.person, machine)], at, question.beginning())[0]
