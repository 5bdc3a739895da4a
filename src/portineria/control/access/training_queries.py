# SPDX-License-Identifier: Apache-2.0
"""Which trainings a rule asks for, who has confirmed them, and until when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from portineria.control.access.models import Rule
from portineria.control.access.training import (
    MOST_TRAININGS,
    Training,
    TrainingDone,
    TrainingQuerySet,
    TrainingText,
    TrainingVersion,
)
from portineria.control.identity.models import Language, Organisation, Person
from portineria.control.identity.queries import answering_for
from portineria.control.identity.services import BadField
from portineria.core.errors import NotFound


def asked_of(organisation: Organisation, wanted: Iterable[str]) -> str:
    """As a rule keeps it. Raise NotFound for what is not offered there, BadField for too many."""
    ids = sorted(set(wanted))
    if len(ids) > MOST_TRAININGS:
        raise BadField("trainings", f"at most {MOST_TRAININGS}", most=MOST_TRAININGS)
    if ids and Training.objects.offered().filter(organisation=organisation, public_id__in=ids).count() != len(ids):
        raise NotFound("trainings of a rule")
    return " ".join(ids)


def untrained(rules_and_people: Iterable[tuple[Rule, int]], at: datetime) -> set[tuple[int, int]]:
    """(rule, person) of those who have not confirmed all that the rule asks for, or whose time is over at ``at``.

    No query where no rule asks for anything, two otherwise. For an agent whoever answers for it confirms. What is not
    offered any more cannot have been confirmed.
    """
    asked = {(rule.pk, person): rule.trainings.split() for rule, person in rules_and_people if rule.trainings}
    if not asked:
        return set()
    people, ids = {person for _, person in asked}, {one for ids in asked.values() for one in ids}
    reader = {person: person for person in people} | answering_for(people)
    done = _counting(at).filter(person__in=reader.values(), version__training__public_id__in=ids)
    confirmed = set(done.values_list("person", "version__training__public_id"))
    return {key for key, ids in asked.items() if not all((reader[key[1]], one) in confirmed for one in ids)}


def _counting(at: datetime) -> "QuerySet[TrainingDone]":
    return TrainingDone.objects.filter(
        Q(until__isnull=True) | Q(until__gt=at), version__in=TrainingVersion.objects.current()
    )


def missing(person: Person, rules: Iterable[Rule], at: datetime) -> dict[int, list[Training]]:
    """Rule → what this person, or whoever answers for this agent, has to confirm still, by name; of rules that ask for
    nothing more nothing is said.
    """
    asked = {rule.pk: set(rule.trainings.split()) for rule in rules if rule.trainings}
    if not asked:
        return {}
    done = _counting(at).filter(person=person.answered_by_id or person.pk).values("version__training")
    ids = {one for ids in asked.values() for one in ids}
    rows = list(Training.objects.filter(public_id__in=ids).exclude(pk__in=done).order_by("name", "pk"))
    found = {pk: [row for row in rows if row.public_id in ids] for pk, ids in asked.items()}
    return {pk: lacking for pk, lacking in found.items() if lacking}


@dataclass(frozen=True, slots=True)
class ShownTraining:
    """What counts now of one training, as one person reads it. ``until``: of ``confirmed_at``; None: for good."""

    training: Training
    version: TrainingVersion
    text: TrainingText
    confirmed_at: datetime | None
    until: datetime | None


def training(actor: Person, public_id: str, language: str) -> ShownTraining:
    """In that language, in English, or in the one that there is. Raise NotFound also for whoever does not belong there,
    and for what is no longer offered.
    """
    version = _current(actor).filter(training__public_id=public_id).first()
    if version is None:
        raise NotFound(f"training {public_id}")
    texts = {text.language: text for text in version.texts.order_by("pk")}
    text = texts.get(language) or texts.get(Language.ENGLISH) or next(iter(texts.values()))
    done = TrainingDone.objects.filter(version=version, person=actor).first()
    counts = done is not None and (done.until is None or done.until > timezone.now())
    return ShownTraining(
        version.training, version, text, done.at if done and counts else None, done.until if done and counts else None
    )


def visible(actor: Person) -> TrainingQuerySet:
    """Those of the organisations whose staff the actor is, and those that a rule asks of them."""
    rules = Rule.objects.admitting(actor).filter(organisation__in=actor.guest_of).exclude(trainings="")
    asked = {one for ids in rules.order_by().values_list("trainings", flat=True) for one in ids.split()}
    seen = Q(organisation__in=actor.staff_of)
    if asked:
        seen |= Q(public_id__in=asked)
    return Training.objects.offered().filter(seen)


def _current(actor: Person) -> "QuerySet[TrainingVersion]":
    return (
        TrainingVersion.objects.current().filter(training__in=visible(actor)).select_related("training__organisation")
    )


@dataclass(frozen=True, slots=True)
class OwnTraining:
    training: Training
    until: datetime | None


def confirmed_by(actor: Person, at: datetime) -> list[OwnTraining]:
    """What counts of what this person has confirmed, to be read again."""
    rows = _counting(at).filter(person=actor, version__training__in=visible(actor))
    rows = rows.select_related("version__training__organisation").order_by("version__training__name", "pk")
    return [OwnTraining(row.version.training, row.until) for row in rows]


def offered(actor: Person) -> "QuerySet[TrainingVersion]":
    """The current versions of the organisations whose staff the actor is; ``people``: how many confirmed each, whom
    nobody is named.
    """
    now = Q(done__until__isnull=True) | Q(done__until__gt=timezone.now())
    rows = TrainingVersion.objects.current().filter(training__organisation__in=actor.staff_of)
    counted = rows.annotate(people=Count("done", filter=Q(done__isnull=False) & now))
    return counted.select_related("training__organisation", "published_by").order_by("training__name", "pk")


def one_offered(actor: Person, public_id: str) -> TrainingVersion:
    """For staff; raise NotFound."""
    row = offered(actor).filter(training__public_id=public_id).first()
    if row is None:
        raise NotFound(f"training {public_id}")
    return row


def choices(organisation: Organisation) -> list[tuple[str, str]]:
    """Id and name of all that a rule of this organisation may ask for."""
    rows = Training.objects.offered().filter(organisation=organisation).order_by("name", "pk")
    return list(rows.values_list("public_id", "name"))


def names(ids: str) -> list[str]:
    """Of what a rule keeps, also of what has ended."""
    rows = Training.objects.filter(public_id__in=ids.split()) if ids else Training.objects.none()
    return list(rows.order_by("name", "pk").values_list("name", flat=True))
