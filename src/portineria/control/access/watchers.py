# SPDX-License-Identifier: Apache-2.0
"""Whom a rule names to watch, and whose looking on counts: any one of them, or somebody who stands in for one.

A substitute is the same as for approvals: named for a time, somebody who works there, and never for what the one they
stand in for does themselves.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q

from portineria.control.access.deciding import same_person
from portineria.control.access.models import Rule, RuleWatcher
from portineria.control.access.substitution import Substitution
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField
from portineria.core.errors import NotFound

MOST_WATCHERS = 10  # of one rule


def name_watchers(rule: Rule, people: Iterable[str]) -> None:
    """These people of the organisation, by id, and no others; the rule is there already and is saved by the caller.

    Raise NotFound, BadField.
    """
    wanted = list(dict.fromkeys(one for one in people if one))
    if len(wanted) > MOST_WATCHERS:
        raise BadField("watchers", f"at most {MOST_WATCHERS}", most=MOST_WATCHERS)
    rows = Person.objects.get_queryset().filter(
        memberships__organisation=rule.organisation_id, public_id__in=wanted, is_service=False
    )
    found = {row.public_id: row for row in rows}
    if missing := [one for one in wanted if one not in found]:
        raise NotFound(f"person {missing[0]}")
    rule.watcher = found[wanted[0]] if wanted else None
    before, others = [row.person.public_id for row in rule.watchers.all()], wanted[1:]
    if others != before:
        rule.watchers.all().delete()
        RuleWatcher.objects.bulk_create(RuleWatcher(rule=rule, person=found[one]) for one in others)


def named_watchers(rule: Rule) -> list[Person]:
    """In the order in which they were named."""
    return [rule.watcher, *(row.person for row in rule.watchers.all())] if rule.watcher is not None else []


def watchers_in_words(rule: Rule) -> str:
    """One of them is enough: ``Anna / Bruno``."""
    return " / ".join(person.name for person in named_watchers(rule))


def other_watchers(rule: Rule) -> list[str]:
    """Ids of those besides the first."""
    return [row.person.public_id for row in rule.watchers.all()]


def watches(actor: Person, rule: Rule, worker: Person, at: datetime) -> bool:
    """Whether it counts that they look on at this person's work. Nobody watches their own."""
    if rule.watcher_id is None or same_person(actor, worker):
        return False
    named = {person.pk for person in named_watchers(rule)}
    if actor.pk in named:
        return True
    lent = Substitution.objects.watching(at).filter(
        substitute=actor, organisation=rule.organisation_id, approver__in=named
    )
    return any(not same_person(row.approver, worker) for row in lent.select_related("approver").order_by("pk"))


def counting(at: datetime) -> Q:
    """Of rows that have a ``grant``, and the ``person`` who looks on: it counts for the rule as it is now."""
    others = RuleWatcher.objects.filter(rule=OuterRef("grant__rule"), person=OuterRef("person")).order_by()
    beside = RuleWatcher.objects.filter(rule=OuterRef(OuterRef("grant__rule")), person=OuterRef("approver")).order_by()
    lent = (
        Substitution.objects.watching(at)
        .filter(substitute=OuterRef("person"), organisation=OuterRef("grant__organisation"))
        .exclude(approver=OuterRef("grant__person"))
        .filter(Q(approver=OuterRef("grant__rule__watcher")) | Q(Exists(beside)))
    )
    return Q(person=F("grant__rule__watcher")) | Q(Exists(others)) | Q(Exists(lent))


def watches_at(person: Person) -> set[int]:
    """Organisations where the person works and a rule that holds names them to watch."""
    rules = Rule.objects.holding().filter(organisation__in=person.staff_of)
    others = RuleWatcher.objects.filter(person=person).order_by().values("rule")
    found = rules.filter(Q(watcher=person) | Q(pk__in=others))
    return set(found.order_by().values_list("organisation", flat=True))
