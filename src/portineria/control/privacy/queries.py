# SPDX-License-Identifier: Apache-2.0
"""Which notice counts, and who was told."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from portineria.control.identity.models import Language, Organisation, Person
from portineria.control.identity.queries import answering_for
from portineria.control.privacy.models import Acknowledgement, Notice, NoticeText, Terms
from portineria.control.privacy.texts import default_answers
from portineria.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class ShownNotice:
    """The current notice of one organisation as one person reads it. ``acknowledged_at``: this very version."""

    organisation: Organisation
    number: int
    published_at: datetime
    text: NoticeText
    acknowledged_at: datetime | None


def untold(notices: Iterable[int], people: Iterable[int]) -> set[tuple[int, int]]:
    """(organisation, person) of those of ``people`` who have not acknowledged one of these notices. For an agent
    whoever answers for it has to.
    """
    wanted, asked = list(notices), set(people)
    reader = {person: person for person in asked} | answering_for(asked)
    owners = dict(Notice.objects.filter(pk__in=wanted).values_list("pk", "organisation"))
    told = set(
        Acknowledgement.objects.filter(notice__in=wanted, person__in=reader.values()).values_list("notice", "person")
    )
    pairs = ((notice, person) for notice in owners for person in asked)
    return {(owners[notice], person) for notice, person in pairs if (notice, reader[person]) not in told}


def notice(actor: Person, organisation: str, language: str) -> ShownNotice:
    """Raise NotFound where there is none, and for whoever does not belong there."""
    rows = Notice.objects.visible_to(actor).current().select_related("organisation")
    row = rows.filter(organisation__public_id=organisation).first()
    if row is None:
        raise NotFound(f"notice of {organisation}")
    texts = {text.language: text for text in row.texts.order_by("pk")}
    said = Acknowledgement.objects.filter(notice=row, person=actor).values_list("at", flat=True).first()
    shown = texts[language if language in texts else Language.ENGLISH]
    return ShownNotice(row.organisation, row.number, row.published_at, shown, said)


def missing(actor: Person) -> list[Notice]:
    """Current notices that this person has not acknowledged, of every organisation they belong to."""
    rows = Notice.objects.visible_to(actor).current().exclude(acknowledgements__person=actor)
    return list(rows.select_related("organisation").order_by("organisation__name", "pk"))


@dataclass(frozen=True, slots=True)
class Editable:
    """``answers``: language → those of the current version, or those that an owner begins with."""

    owner: Organisation
    first: bool
    terms: Terms
    answers: dict[str, dict[str, str]]


def editable(actor: Person, organisation: str) -> Editable:
    """For staff; raise NotFound."""
    owner = Organisation.objects.filter(pk__in=actor.staff_of, public_id=organisation).first()
    if owner is None:
        raise NotFound(f"organisation {organisation}")
    found = first_answers(owner)
    if (row := _current_of(owner)) is not None:
        for text in row.texts.order_by("pk"):
            found[text.language] = {"what": text.what, "why": text.why, "who": text.who, "how_long": text.how_long}
    return Editable(owner, row is None, terms_of(owner), found)


def terms_of(organisation: Organisation) -> Terms:
    return Terms.objects.filter(organisation=organisation).first() or Terms(organisation=organisation)


def first_answers(owner: Organisation) -> dict[str, dict[str, str]]:
    """Language → what an owner begins with: the product as it is, and what their terms say by now."""
    days = terms_of(owner).recordings_days
    return {language: default_answers(language, days) for language in Language.values}


def _current_of(organisation: Organisation) -> Notice | None:
    return Notice.objects.filter(organisation=organisation).order_by("-number").first()


@dataclass(frozen=True, slots=True)
class Overview:
    """``acknowledged``: how many of those who may belong there have said so; nobody is named."""

    organisation: Organisation
    notice: Notice | None
    acknowledged: int
    terms: Terms
    administers: bool


def overview(actor: Person) -> list[Overview]:
    """Of the organisations whose staff the actor is."""
    found = []
    for owner in Organisation.objects.filter(pk__in=actor.staff_of).order_by("name", "pk"):
        row, role = _current_of(owner), actor.role_in(owner.pk)
        said = row.acknowledgements.count() if row is not None else 0
        found.append(Overview(owner, row, said, terms_of(owner), administers=role is not None and role.administers))
    return found


def own_notices(actor: Person) -> list[Notice]:
    """Current ones of every organisation this person belongs to: to be read again."""
    rows = Notice.objects.visible_to(actor).current().select_related("organisation")
    return list(rows.order_by("organisation__name", "pk"))
