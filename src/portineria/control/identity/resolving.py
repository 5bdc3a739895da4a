# SPDX-License-Identifier: Apache-2.0
"""Who is behind a pseudonym: one of the two organisations asks, and the other one's yes is needed."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.identity.authority import administers, require
from portineria.control.identity.delegating import locked_pair
from portineria.control.identity.delegation_models import Delegation, NameQuestion, QuestionState
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.pseudonyms import behind
from portineria.control.identity.words import clean_words
from portineria.core.errors import Conflict, NotFound


class AskedAlready(Conflict):
    code = "identity.analyst.asked-already"


class NobodyBehind(Conflict):
    code = "identity.analyst.nobody"


class OwnQuestion(Conflict):
    code = "identity.analyst.own-question"


def questions(actor: Person) -> "QuerySet[NameQuestion]":
    """Of both sides' people, also when nothing is delegated any more: the answers stay. The newest first."""
    of_own = Q(delegation__organisation__in=actor.staff_of) | Q(delegation__provider__in=actor.staff_of)
    rows = NameQuestion.objects.filter(of_own).select_related(
        "delegation__organisation", "delegation__provider", "analyst", "person", "asked_by", "answered_by"
    )
    return rows.order_by("-asked_at", "-pk")


def question(actor: Person, public_id: str) -> NameQuestion:
    found = questions(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"question {public_id}")
    return found


def pair(actor: Person, delegation: str) -> Delegation:
    """Of either side, whether anything is delegated still or not. Raise NotFound."""
    of_own = Q(organisation__in=actor.staff_of) | Q(provider__in=actor.staff_of)
    row = Delegation.objects.select_related("organisation", "provider").filter(of_own, public_id=delegation).first()
    if row is None:
        raise NotFound(f"delegation {delegation}")
    return row


def analysts(delegations: Iterable[Delegation]) -> "QuerySet[Membership]":
    """Everybody who ever stepped inside by one of these."""
    rows = Membership.objects.filter(delegation__in=delegations, role=Role.ANALYST)
    return rows.select_related("person", "delegation").order_by("pk")


@transaction.atomic
def ask(*, actor: Person, delegation: str, analyst: str, reason: str) -> NameQuestion:
    """By whoever administers one of the two. Raise NotFound, Denied, AskedAlready."""
    row = locked_pair(actor, delegation)
    by_customer = row.organisation_id in actor.staff_of
    require(actor, row.organisation_id if by_customer else row.provider_id, administers)
    about = Membership.objects.filter(delegation=row, person__public_id=analyst).select_related("person").first()
    if about is None:
        raise NotFound(f"analyst {analyst}")
    if NameQuestion.objects.filter(analyst=about.person, by_customer=by_customer, state=QuestionState.ASKED).exists():
        raise AskedAlready(f"about {analyst}")
    made = NameQuestion.objects.create(
        delegation=row, analyst=about.person, by_customer=by_customer, asked_by=actor, reason=clean_words(reason)
    )
    _record("asked-about", made, actor, reason=made.reason)
    return made


@transaction.atomic
def answer(*, actor: Person, question: str, yes: bool, reason: str = "") -> NameQuestion:
    """By whoever administers the other one. Raise NotFound, Denied, OwnQuestion, NobodyBehind, Conflict."""
    seen = _seen(actor, question)
    require(actor, seen.asked_of, administers)
    row = NameQuestion.objects.select_for_update(of=("self",), no_key=True).select_related(
        "delegation__organisation", "delegation__provider", "analyst"
    ).get(pk=seen.pk)  # fmt: skip
    if row.state != QuestionState.ASKED:
        raise Conflict(f"question {question} is {row.state}")
    if row.asked_by_id == actor.pk:
        raise OwnQuestion("somebody else of the other organisation says yes")
    row.answered_by, row.answered_at = actor, timezone.now()
    row.state = QuestionState.ANSWERED if yes else QuestionState.REFUSED
    if yes and (person := behind(row.delegation, row.analyst)) is None:
        raise NobodyBehind(f"{row.analyst.public_id}: of nobody who is known here")
    row.person = person if yes else None
    row.save(update_fields=["state", "answered_by", "answered_at", "person"])
    if row.person is not None:
        _record("resolved", row, actor, about=row.person.public_id, person=row.person.public_id)
    else:
        _record("kept-secret", row, actor, reason=reason[:500])
    return row


_seen = question  # ``answer`` has an argument of that name


def _record(what: str, row: NameQuestion, actor: Person, **fields: str) -> None:
    """In both registers; the other organisation hears that this one's people did it."""
    both = row.delegation
    own = both.organisation_id if both.organisation_id in actor.staff_of else both.provider_id
    for one in sorted((both.organisation, both.provider), key=lambda organisation: organisation.pk):
        acted = both.organisation if own == both.organisation_id else both.provider
        record(
            f"identity.analyst.{what}", organisation=one.public_id,
            actor=actor.public_id if one.pk == own else acted.public_id,
            delegation=both.public_id, customer=both.organisation.public_id, customer_name=both.organisation.name,
            provider_organisation=both.provider.public_id, provider_name=both.provider.name,
            analyst=row.analyst.public_id, question=row.public_id, **fields,
        )  # fmt: skip
