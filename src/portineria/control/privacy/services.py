# SPDX-License-Identifier: Apache-2.0
"""Publishing a notice and acknowledging it; saying what is recorded of whom."""

from collections.abc import Mapping

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.identity.authority import Actor, administers, organisation_of, require
from portineria.control.identity.models import Language, Organisation, Person
from portineria.control.identity.services import BadField
from portineria.control.privacy.models import ANSWER, MOST_DAYS, Acknowledgement, Notice, NoticeText, Terms
from portineria.control.privacy.queries import first_answers
from portineria.core.errors import Conflict, Invalid, NotFound

_SPACES = str.maketrans("\n\t\xa0\u3000", "    ")  # which people write, and Python does not call printable
ANSWERS = ("what", "why", "who", "how_long")


class BadNotice(Invalid):
    code = "privacy.notice.incomplete"


class NoticeChanged(Conflict):
    """Another version was published since this one was shown."""

    code = "privacy.notice.changed"


@transaction.atomic
def publish_notice(
    *, actor: Actor, organisation: str, answers: Mapping[str, Mapping[str, str]] | None = None
) -> Notice:
    """The next version, in every language; the product's own words where no ``answers`` are given. From now on no
    session begins before its person acknowledged it; what runs goes on. Raise BadNotice.
    """
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    given = answers if answers is not None else first_answers(owner)
    texts = {language: cleaned_answers(given.get(language, {})) for language in Language.values}
    # Two that publish at once: the second waits here, and takes the next number.
    Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)
    newest = Notice.objects.filter(organisation=owner).order_by("-number").values_list("number", flat=True).first()
    made = Notice.objects.create(
        organisation=owner, number=(newest or 0) + 1, published_by=actor if isinstance(actor, Person) else None
    )
    NoticeText.objects.bulk_create(NoticeText(notice=made, language=one, **text) for one, text in texts.items())
    record("privacy.notice.published", organisation=organisation, actor=actor.public_id, number=made.number)
    return made


def cleaned_answers(answers: Mapping[str, str]) -> dict[str, str]:
    found = {name: answers.get(name, "").replace("\r\n", "\n").strip() for name in ANSWERS}
    for text in found.values():
        if not text or len(text) > ANSWER or not text.translate(_SPACES).isprintable():
            raise BadNotice(f"four answers of 1 to {ANSWER} characters in every language")
    return found


@transaction.atomic
def acknowledge(*, actor: Person, organisation: str, number: int, language: str) -> Acknowledgement:
    """By whoever read it, for themselves; saying it again changes nothing. Raise NoticeChanged when another version
    counts by now.
    """
    if language not in Language.values:
        raise BadField("language", "one in which there is a notice")
    rows = Notice.objects.visible_to(actor).current().select_related("organisation")
    row = rows.filter(organisation__public_id=organisation).first()
    if row is None:
        raise NotFound(f"notice of {organisation}")
    if row.number != number:
        raise NoticeChanged(f"notice {row.number} counts, {number} was read")
    said, new = Acknowledgement.objects.get_or_create(notice=row, person=actor, defaults={"language": language})
    if new:
        record(
            "privacy.notice.acknowledged",
            organisation=organisation,
            actor=actor.public_id,
            person=actor.public_id,
            number=number,
            language=language,
        )
    return said


@transaction.atomic
def set_terms(
    *,
    actor: Actor,
    organisation: str,
    records_staff: bool,
    records_suppliers: bool,
    recordings_days: int | None,
    records_agents: bool | None = None,
) -> Terms:
    """Of whom: holds for sessions that begin afterwards. For how long: for all recordings. Raise BadField."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    if recordings_days is not None and not 1 <= recordings_days <= MOST_DAYS:
        raise BadField("recordings_days", f"1 to {MOST_DAYS}")
    row, _ = Terms.objects.select_for_update(no_key=True).get_or_create(organisation=owner)
    row.records_staff, row.records_suppliers = records_staff, records_suppliers
    row.recordings_days = recordings_days
    row.records_agents = row.records_agents if records_agents is None else records_agents
    row.save()
    record(
        "privacy.terms.changed",
        organisation=organisation,
        actor=actor.public_id,
        records_staff=records_staff,
        records_suppliers=records_suppliers,
        records_agents=row.records_agents,
        days=recordings_days or 0,
    )
    return row
