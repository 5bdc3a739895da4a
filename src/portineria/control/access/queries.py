# SPDX-License-Identifier: Apache-2.0
"""What one may see of machines, requests and grants. Three levels of sight; absent is the same as not existing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.utils import timezone

from portineria.control.access.around import ways
from portineria.control.access.counted import YES_OF
from portineria.control.access.facts import LOOKING, Beginning, decisions, opened
from portineria.control.access.firm import firm_by_rule
from portineria.control.access.in_sight import admitting_by_machine, by_role, called_so, in_sight, marked
from portineria.control.access.models import (
    LOCKABLE,
    AccessRequest,
    Approval,
    FunctionProfile,
    Grant,
    GrantQuerySet,
    Lock,
    LockQuerySet,
    RequestQuerySet,
    RequestState,
    Rule,
    RuleQuerySet,
    RuleVersion,
)
from portineria.control.access.naming import naming
from portineria.control.access.only_services import words_of
from portineria.control.access.places import PLACES, called
from portineria.control.access.preference import preference
from portineria.control.access.seer import Seer
from portineria.control.access.training import Training
from portineria.control.access.training_queries import missing
from portineria.control.estate.models import Machine, MachineQuerySet
from portineria.control.estate.queries import BY_LINE
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.queries import own_standings
from portineria.core.errors import Conflict, NotFound
from portineria.policy.decision import Decision
from portineria.policy.ending import Reason
from portineria.policy.function_profile import BUILT_IN
from portineria.policy.sight import Sight, sight_of


class Ambiguous(Conflict):
    code = "access.machine.ambiguous"


@dataclass(frozen=True, slots=True)
class MachineSight:
    """One machine as this person may see it. ``max_minutes`` is None where no rule lets them ask."""

    machine: Machine
    sight: Sight
    decision: Decision
    max_minutes: int | None
    needs_approval: bool
    needs_reference: bool = False
    needs_maintenance: bool = False
    signals: str = ""  # kinds of consent signals, apart by blanks
    only_services: str = ""  # of the rule by which they would ask
    trainings: tuple[Training, ...] = ()  # that its rules ask for, and this person has to confirm still
    needs_listed_reason: bool = False
    needs_device: bool = False
    factor_minutes: int | None = None  # the shortest that its rules ask for
    least_standing: str = ""  # that the rule by which they would ask wants of their supplier, where it has not got it

    @property
    def services_named(self) -> list[str]:
        return words_of(self.only_services)

    @property
    def notice(self) -> str | None:
        """Whose notice has to be read, where reading is all that is missing: the organisation's id."""
        owner = self.machine.plant.organisation.public_id
        return owner if self._only_reading and Reason.NOTICE in self.decision.denials else None

    @property
    def to_confirm(self) -> tuple[Training, ...]:
        """Where reading is all that is missing: what has to be confirmed."""
        return self.trainings if self._only_reading and Reason.TRAINING in self.decision.denials else ()

    @property
    def _only_reading(self) -> bool:
        return {Reason.NOTICE, Reason.TRAINING}.issuperset(self.decision.denials)

    @property
    def grant(self) -> str | None:
        return self.decision.grant if self.decision.permitted else None

    @property
    def ends_at(self) -> datetime | None:
        """None also while nothing has begun: then ``begin_by`` and ``lasts`` say all there is to say."""
        return self.decision.ends if self.decision.permitted and self.begin_by is None else None

    @property
    def lasting(self) -> bool:
        """It has one end, which could be later."""
        return self.ends_at is not None and not self.decision.comes_again

    @property
    def begin_by(self) -> datetime | None:
        return self.decision.begin_by

    @property
    def lasts_minutes(self) -> int | None:
        lasts = self.decision.lasts
        return int(lasts.total_seconds() // 60) if lasts is not None else None


_BY_PLACE = ("plant__name", BY_LINE, "name", "pk")


def sights(
    actor: Person, machines: list[Machine], at: datetime | None = None, begins: Beginning = LOOKING,
    rules: Mapping[int, list[Rule]] | None = None, judged: Mapping[tuple[int, int], Decision] | None = None,
) -> list[MachineSight]:  # fmt: skip
    """Of some of ``machines_in_sight``; the number of queries does not grow with theirs. ``rules``: those that let the
    actor ask, and ``judged``: what is decided, where the caller knows.
    """
    at = at or timezone.now()
    rules = admitting_by_machine(Seer.of(actor), machines) if rules is None else rules
    standing_of = own_standings(actor, (machine.plant.organisation_id for machine in machines))
    if judged is None:
        judged = decisions([(actor.pk, machine) for machine in machines], at, standing_of, begins)
    lacking = missing(actor, {rule.pk: rule for named in rules.values() for rule in named}.values(), at)
    owned = set(actor.sees(Power.ESTATE))
    found = []
    for machine in machines:
        admitting, decision = rules.get(machine.pk, []), judged[actor.pk, machine.pk]
        standing = standing_of[actor.pk, machine.plant.organisation_id]
        named = bool(admitting) or machine.plant.organisation_id in owned or by_role(machine)
        sight = sight_of(standing=standing, admitted_by_rule=named, decision=decision)
        best = max(admitting, key=preference(standing.firm, at), default=None)
        found.append(
            MachineSight(
                machine,
                sight,
                decision,
                best.max_minutes if best else None,
                best.needs_approval if best else True,
                any(rule.needs_reference for rule in admitting),
                best.needs_maintenance if best else False,
                best.signals if best else "",
                best.only_services if best else "",
                tuple({one.pk: one for rule in admitting for one in lacking.get(rule.pk, ())}.values()),
                any(rule.needs_listed_reason for rule in admitting),
                any(rule.needs_device for rule in admitting),
                min((rule.factor_minutes for rule in admitting if rule.factor_minutes), default=None),
                best.least_standing if best and best.falls_short(standing.firm, at) else "",
            )
        )
    return [seen for seen in found if seen.sight is not Sight.ABSENT]


def machines_in_sight(actor: Person, search: str = "") -> MachineQuerySet:
    """Everything this person sees, ordered by plant, line and name. Every word of a search has to be somewhere in what
    they are told: of a machine that may only be asked for that is its name and its owner. (SQLite folds ASCII only.)
    """
    found = in_sight(Seer.of(actor)).order_by(*_BY_PLACE)
    if not search:
        return found
    told = Q(plant__organisation__in=actor.sees(Power.ESTATE))
    if actor.guest_of:
        told |= Q(pk__in=opened(actor, timezone.now()))
    for word in search.split():
        inside = Q(tag__icontains=word) | Q(plant__name__icontains=word) | Q(line__name__icontains=word)
        outside = Q(plant__organisation__name__icontains=word)
        found = found.filter(Q(name__icontains=word) | (told & inside) | (~told & outside))
    return found


def visible_machines(actor: Person, at: datetime | None = None) -> list[MachineSight]:
    """Everything this person sees, ordered by plant, line and name."""
    return sights(actor, list(machines_in_sight(actor)), at)


def sights_and_reachable(actor: Person, machines: Iterable[int]) -> tuple[dict[int, Sight], list[MachineSight]]:
    """Key → sight of some of them, as ``sight_by_machine``, and those that they may connect to now, or once they have
    confirmed what is to be read: few, however many they see.
    """
    at, asked = timezone.now(), set(machines)
    given = Grant.objects.filter(person=actor).live(at).values("machine")
    rows = in_sight(Seer.of(actor)).filter(Q(pk__in=asked) | Q(pk__in=given)).order_by(*_BY_PLACE)
    seen = sights(actor, list(rows), at)
    named = {one.machine.pk: one.sight for one in seen if one.machine.pk in asked}
    return named, [one for one in seen if one.sight is Sight.REACHABLE or one.to_confirm]


def visible_machine(
    actor: Person, name_or_id: str, at: datetime | None = None, begins: Beginning = LOOKING
) -> MachineSight:
    """By id or exact name; raise NotFound, or Ambiguous when two plants have one of that name."""
    return the_one(sights(actor, called_so(Seer.of(actor), name_or_id), at, begins), name_or_id)


def the_one(found: list[MachineSight], name_or_id: str) -> MachineSight:
    """As ``visible_machine`` raises."""
    if not found:
        raise NotFound(f"machine {name_or_id!r}")
    if len(found) > 1:
        raise Ambiguous(f"{len(found)} machines are called {name_or_id!r}: use the id")
    return found[0]


def sight_by_machine(actor: Person, machines: Iterable[int], at: datetime | None = None) -> dict[int, Sight]:
    """Key → sight, for what may be named in this person's records; what is absent for them is left out."""
    there = Machine.objects.filter(pk__in=set(machines)).select_related("plant", "line", "gateway")
    rows = marked(Seer.of(actor), there).annotate(**ways())
    return {seen.machine.pk: seen.sight for seen in sights(actor, list(rows), at)}


_ANSWERS = Approval.objects.select_related("decided_by", "substitution__approver").order_by("pk")
ANSWERS = Prefetch("approvals", _ANSWERS)


def answers(*, levelled: bool) -> "Prefetch[str]":
    """``levelled``: with ``yes_of``, as ``counted.said_in`` reads them."""
    return Prefetch("approvals", _ANSWERS.annotate(yes_of=YES_OF)) if levelled else ANSWERS


def requests(actor: Person) -> RequestQuerySet:
    found = AccessRequest.objects.visible_to(actor).select_related(
        "machine__plant__organisation", "machine__line", "machine__gateway", "machine__answering", "machine__deputy",
        "person",
        "rule__supplier", "rule__profile", "rule__watcher", "organisation", "grant__profile", "grant__rule__profile",
        "grant__narrower",
    ).annotate(firm=firm_by_rule())  # fmt: skip
    return found.prefetch_related(ANSWERS).order_by("-made_at", "-pk")


def request(actor: Person, public_id: str) -> AccessRequest:
    found = requests(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"access request {public_id}")
    return found


def bundled(actor: Person, row: AccessRequest) -> list[AccessRequest]:
    """What was asked for together with it, itself among them; nothing where it was alone."""
    return list(requests(actor).filter(bundle=row.bundle).order_by("machine__name", "pk")) if row.bundle else []


def narrower_profiles(actor: Person, row: AccessRequest) -> list[str]:
    """Names of profiles that refuse something; none for who does not work there."""
    if row.organisation_id not in actor.sees(Power.WORK):
        return []
    own = {name: kept.profile for name, kept in profiles(actor, row.organisation).items()}
    return sorted(name for name, profile in {**own, **BUILT_IN}.items() if not profile.notes_only)


def pending_requests(actor: Person) -> RequestQuerySet:
    return requests(actor).filter(state=RequestState.PENDING)


def waiting_request(actor: Person, machine: Machine) -> AccessRequest | None:
    """The actor's own, the one that was made first."""
    rows = AccessRequest.objects.filter(person=actor, machine=machine, state=RequestState.PENDING)
    return rows.order_by("made_at", "pk").first()


def grants(actor: Person) -> GrantQuerySet:
    found = Grant.objects.visible_to(actor).select_related(
        "machine__plant__organisation", "machine__line", "machine__gateway", "person", "rule__supplier",
        "organisation", "request",
    ).annotate(firm=firm_by_rule())  # fmt: skip
    return found.order_by("-starts_at")


def live_grants(actor: Person) -> GrantQuerySet:
    return grants(actor).live(timezone.now())


def grant(actor: Person, public_id: str) -> Grant:
    found = grants(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"grant {public_id}")
    return found


_MACHINES = Prefetch("machines", Machine.objects.select_related("plant"))


def rules(actor: Person) -> RuleQuerySet:
    found = (
        Rule.objects.visible_to(actor)
        .holding()
        .select_related("supplier", "person", "organisation", "profile", "watcher", "group")
    )
    return found.prefetch_related(_MACHINES, PLACES).order_by("-created_at")


def locks(actor: Person) -> LockQuerySet:
    """Those that hold, and those that were lifted; the newest first."""
    found = Lock.objects.visible_to(actor).select_related(
        "organisation", "person", "supplier", "machine__plant", "line__plant", "zone__plant", "plant", "gateway__plant",
        "made_by", "lifted_by",
    )  # fmt: skip
    return found.order_by("-made_at", "-pk")


def lock(actor: Person, public_id: str) -> Lock:
    found = locks(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"lock {public_id}")
    return found


def locks_meeting(actor: Person, machine: Machine) -> LockQuerySet:
    """Those that keep everybody from this machine; it comes with its line and plant."""
    met = Q(machine=machine) | Q(plant=machine.plant_id) | Q(gateway=machine.gateway_id) | Q(**_EVERYTHING)
    if machine.line is not None:
        met |= Q(line=machine.line_id)
    if machine.line is not None and machine.line.zone_id is not None:
        met |= Q(zone=machine.line.zone_id)
    return locks(actor).holding().filter(met, organisation=machine.plant.organisation_id)


_EVERYTHING = {f"{name}__isnull": True for name in LOCKABLE}


def profiles(actor: Person, organisation: Organisation) -> dict[str, FunctionProfile]:
    """The newest version of each, by name."""
    rows = FunctionProfile.objects.filter(organisation=organisation, organisation__in=actor.staff_of)
    return {row.name: row for row in rows.order_by("name", "version")}


def rules_listed(actor: Person, search: str = "") -> RuleQuerySet:
    """Without their machines, of which a rule may name thousands. ``named``: how many one by one; ``first``: by name.
    With their places.
    """
    found = Rule.objects.visible_to(actor).holding()
    found = found.select_related("supplier", "person", "organisation", "profile", "group")
    one_by_one: QuerySet[Any] = Rule.machines.through._default_manager.all()
    for word in search.split():
        by_machine = one_by_one.filter(machine__name__icontains=word).values("rule")
        whom = Q(supplier__name__icontains=word) | Q(person__name__icontains=word) | Q(group__name__icontains=word)
        found = found.filter(whom | Q(pk__in=by_machine) | Q(pk__in=called(word).values("rule")))
    here = one_by_one.filter(rule=OuterRef("pk"))
    counted = here.order_by().values("rule").annotate(count=Count("pk")).values("count")
    first = here.order_by("machine__name").values("machine__name")[:1]
    found = found.annotate(named=Subquery(counted), first=Subquery(first)).prefetch_related(PLACES)
    return found.order_by("-created_at", "-pk")


def rule_history(actor: Person, rule: Rule) -> "QuerySet[RuleVersion]":
    seen = Rule.objects.visible_to(actor).filter(pk=rule.pk)
    return RuleVersion.objects.filter(rule__in=seen).select_related("by").order_by("-number")


def profile_versions(actor: Person, organisation: Organisation) -> "QuerySet[FunctionProfile, Any]":
    """Of every version: its id, name and number."""
    rows = FunctionProfile.objects.filter(organisation=organisation, organisation__in=actor.staff_of)
    return rows.order_by().values_list("public_id", "name", "version")


def rules_naming(actor: Person, machine: Machine) -> RuleQuerySet:
    """Without their other machines: a rule may name thousands."""
    return rules(actor).filter(naming(machine)).prefetch_related(None)


def rule(actor: Person, public_id: str) -> Rule:
    found = rules(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"rule {public_id}")
    return found
