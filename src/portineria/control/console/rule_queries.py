# SPDX-License-Identifier: Apache-2.0
"""Who could reach what, and why: as pages show it, by the decision that counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, Value

from portineria.control.access import queries as access
from portineria.control.access.around import around, ways
from portineria.control.access.facts import LOOKING, Beginning, decisions
from portineria.control.access.level_standing import approvers, short_of
from portineria.control.access.levels import Short
from portineria.control.access.models import Rule, RuleVersion
from portineria.control.access.naming import machines_named
from portineria.control.access.simulation import would_open
from portineria.control.access.training_queries import names
from portineria.control.console import texts
from portineria.control.console.rule_words import (
    Change,
    LevelWords,
    able_words,
    history,
    level_said,
    sentences,
    terms_of,
    whom_asked,
)
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Machine, MachineQuerySet
from portineria.control.identity import group_queries
from portineria.control.identity import queries as identity
from portineria.control.identity.models import GroupMember, Membership, Person
from portineria.control.identity.queries import standings
from portineria.core.ids import Kind
from portineria.policy.decision import Decision

_VERSIONS = 20  # of a rule's history, the newest


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule would open, and all that stands in the way."""

    rule: Rule
    permitted: bool
    until: datetime | None
    why: list[str]
    needs: list[str]  # whose yes would be asked first, level after level


@dataclass(frozen=True, slots=True)
class Reach:
    """One person and one machine: what they hold now, and what each rule would give."""

    person: Person
    membership: Membership | None
    machine: Machine
    held: Decision
    verdicts: list[Verdict]

    @property
    def why_not_now(self) -> list[str]:
        return [texts.reason(reason.value) for reason in self.held.denials]


def reaches(
    rows: Iterable[tuple[Membership | None, Person, Machine]], at: datetime, begins: Beginning = LOOKING,
    *, approving: bool = False,
) -> list[Reach]:  # fmt: skip
    """Of what the actor was established to see; the number of queries does not grow with it. ``approving``: say whose
    yes would be asked of rules without levels too.
    """
    wanted = list(rows)
    pairs = [(person.pk, machine) for _member, person, machine in wanted]
    standing_of = standings((person, machine.plant.organisation_id) for person, machine in pairs)
    there = around(pairs)
    held = decisions(pairs, at, standing_of, begins, there)
    opening = would_open(pairs, at, begins, standing_of, there)
    asked = approvers(rule for met in opening.values() for rule, _judged in met if approving or rule.level_count)
    found = []
    for membership, person, machine in wanted:
        key = (person.pk, machine.pk)
        verdicts = [
            Verdict(
                rule,
                judged.permitted,
                judged.ends,
                [texts.reason(reason.value) for reason in judged.denials],
                [able_words(one, person.pk) for one in asked.get(rule.pk, ())],
            )
            for rule, judged in opening[key]
        ]
        found.append(Reach(person, membership, machine, held[key], verdicts))
    return found


def could_reach(actor: Person, machine: Machine) -> QuerySet[Membership]:
    """Everybody whom a rule lets ask for it."""
    rules = access.rules_naming(actor, machine)
    named = Q(supplier__in=rules.values("supplier")) | Q(person__in=rules.values("person"))
    named |= Q(pk__in=GroupMember.objects.filter(group__in=rules.values("group")).values("membership"))
    return identity.members(actor).filter(named, organisation=machine.plant.organisation_id)


def in_reach(actor: Person, member: Membership) -> MachineQuerySet:
    """Every machine that a rule lets them ask for."""
    named = Q(person=member.person_id)
    if member.supplier_id is not None:
        named |= Q(supplier=member.supplier_id)
    named |= Q(group__in=member.in_groups.values("group"))
    rules = Rule.objects.visible_to(actor).holding().filter(named, organisation=member.organisation_id)
    return estate.machines(actor).filter(machines_named(rules)).annotate(**ways())


def named(actor: Person, rule: Rule) -> MachineQuerySet:
    """Every machine that it names now."""
    return estate.machines(actor).filter(machines_named(Rule.objects.visible_to(actor).filter(pk=rule.pk)))


@dataclass(frozen=True, slots=True)
class RulePage:
    rule: Rule
    said: list[str]
    history: list[Change]
    may_change: bool
    able: list[str]  # whom it asks for a yes, level after level, and how many may say it
    short: Short | None  # nobody can complete what it asks for


def rule_page(actor: Person, public_id: str) -> RulePage:
    row = access.rule(actor, public_id)
    machines = sorted(machine.name for machine in row.machines.all())
    versions = list(access.rule_history(actor, row)[: _VERSIONS + 1])
    role = actor.role_in(row.organisation_id)
    changes = history(versions, _names(actor, row, versions))[:_VERSIONS]
    several = row.level_count or row.approvals > 1  # one of whoever approves: they who administer do
    asked = approvers([row]).get(row.pk, []) if several else []
    said = sentences(terms_of(row, machines[:5], len(machines), asked))
    able = [able_words(one, row.person_id) for one in asked]
    return RulePage(row, said, changes, role is not None and role.administers, able, short_of(row, asked))


def _names(actor: Person, rule: Rule, versions: Sequence[RuleVersion]) -> dict[str, str]:
    """Of what those versions name, by id; of levels and of several people, by their texts."""
    machines = {one for version in versions for one in (*version.added, *version.removed)}
    besides, levels, trainings = (
        {version.terms.get(name, "") for version in versions} - {""}
        for name in ("watchers", "approval_levels", "trainings")
    )
    of_levels = {one for text in levels for level in text.split("; ") for one in level.split()[1:]}
    watchers = {version.terms.get("watcher", "") for version in versions} | {
        one for ids in besides for one in ids.split()
    }
    named: list[QuerySet[Any, Any]] = [
        estate.machines(actor).filter(public_id__in=machines),
        identity.people(actor).filter(public_id__in=of_levels | watchers - {""}),
        group_queries.named_groups(actor).filter(public_id__in=of_levels),
    ]
    first, *others = [rows.order_by().values_list("public_id", "name", Value(0)) for rows in named]
    rows = first.union(*others, access.profile_versions(actor, rule.organisation), all=True)
    found = {public_id: f"{name} {version}" if version else name for public_id, name, version in rows}
    found |= {ids: ", ".join(found.get(one, one) for one in ids.split()) for ids in besides}
    found |= {text: _levels_said(text, found) for text in levels}
    return found | {ids: ", ".join(names(ids)) for ids in trainings}


def _levels_said(text: str, called: Mapping[str, str]) -> str:
    """Levels as a version has them, in words."""
    said = []
    for level in text.split("; "):
        count, *asked = level.split()
        group = called.get(asked[0], "") if len(asked) == 1 and asked[0].startswith(f"{Kind.GROUP.value}_") else ""
        whom = whom_asked(group, sorted(called.get(one, one) for one in asked))
        said.append(level_said(LevelWords(int(count), whom)))
    return "; ".join(said)
