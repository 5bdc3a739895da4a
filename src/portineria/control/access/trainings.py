# SPDX-License-Identifier: Apache-2.0
"""Publishing trainings, ending them, and confirming that one was read."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from portineria.control.access.models import Rule
from portineria.control.access.training import (
    MOST_DAYS,
    TRAINING_LINK,
    TRAINING_TEXT,
    Training,
    TrainingDone,
    TrainingText,
    TrainingVersion,
)
from portineria.control.access.training_queries import visible
from portineria.control.audit.services import record
from portineria.control.identity.authority import administers, organisation_of, require
from portineria.control.identity.models import Language, Organisation, Person
from portineria.control.identity.services import BadField, clean_name
from portineria.core.errors import Conflict, Denied, Invalid, NotFound

_SPACES = str.maketrans("\n\t\xa0\u3000", "    ")  # which people write, and Python does not call printable
Words = Mapping[str, tuple[str, str]]  # language → text, link


class BadTraining(Invalid):
    code = "access.training.incomplete"


class TrainingChanged(Conflict):
    """Another version was published since this one was shown."""

    code = "access.training.changed"


class TrainingNamed(Conflict):
    code = "access.training.named"


class TrainingAsked(Conflict):
    """A rule asks for it: ended, nobody could work under that rule any more."""

    code = "access.training.asked"


@transaction.atomic
def publish_training(
    *, actor: Person, words: Words, organisation: str = "", name: str = "", training: str = "", days: int | None = None
) -> TrainingVersion:
    """A new one of an organisation, or the next version of ``training``, which everybody has to confirm anew: what runs
    under a rule that asks for it drains. ``days``: how long a confirmation counts. Raise BadTraining, TrainingNamed.
    """
    row = _to_change(actor, training) if training else _made(actor, organisation, name)
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise BadField("days", f"1 to {MOST_DAYS}", most=MOST_DAYS)
    texts = _cleaned(words)
    newest = row.versions.order_by("-number").values_list("number", flat=True).first()
    made = TrainingVersion.objects.create(training=row, number=(newest or 0) + 1, days=days, published_by=actor)
    TrainingText.objects.bulk_create(
        TrainingText(version=made, language=language, text=text, link=link)
        for language, (text, link) in sorted(texts.items())
    )
    record(
        "access.training.published",
        organisation=row.organisation.public_id,
        actor=actor.public_id,
        training=row.public_id,
        name=row.name,
        number=made.number,
        days=days or 0,
    )
    return made


def _made(actor: Person, organisation: str, name: str) -> Training:
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    name = clean_name(name, characters=60)
    # Two that publish at once: the second waits here, and is told of the first.
    Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)
    if Training.objects.offered().filter(organisation=owner, name=name).exists():
        raise TrainingNamed(f"there is a training {name!r}")
    return Training.objects.create(organisation=owner, name=name)


def _to_change(actor: Person, training: str) -> Training:
    rows = Training.objects.offered().filter(organisation__in=actor.staff_of)
    rows = rows.select_for_update(of=("self",), no_key=True).select_related("organisation")
    row = rows.filter(public_id=training).first()
    if row is None:
        raise NotFound(f"training {training}")
    require(actor, row.organisation_id, administers)
    return row


def _cleaned(words: Words) -> dict[str, tuple[str, str]]:
    """What says something, by language."""
    found = {}
    for language, (text, link) in words.items():
        text, link = text.replace("\r\n", "\n").strip(), link.strip()
        if not text and not link:
            continue
        printable = text.translate(_SPACES).isprintable() and link.isprintable()
        if language not in Language.values or not printable or len(text) > TRAINING_TEXT or not _fit(link):
            raise BadTraining(f"a text of up to {TRAINING_TEXT} characters, or an https address")
        found[language] = (text, link)
    if not found:
        raise BadTraining("a text or an address in one language at least")
    return found


def _fit(link: str) -> bool:
    """Addresses come to pages of everybody: only what a browser opens as a page, and without blanks."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return not link or (
        parts.scheme in ("https", "http") and bool(parts.hostname) and " " not in link and len(link) <= TRAINING_LINK
    )


@transaction.atomic
def end_training(*, actor: Person, training: str, reason: str) -> Training:
    """Nobody has to confirm it any more. Raise TrainingAsked while a rule asks for it."""
    row = _to_change(actor, training)
    if Rule.objects.holding().filter(organisation=row.organisation, trainings__contains=row.public_id).exists():
        raise TrainingAsked(f"a rule asks for {training}")
    row.ended_at = timezone.now()
    row.save(update_fields=["ended_at"])
    record(
        "access.training.ended",
        organisation=row.organisation.public_id,
        actor=actor.public_id,
        training=training,
        name=row.name,
        reason=reason,
    )
    return row


@transaction.atomic
def confirm_training(*, actor: Person, training: str, number: int, language: str) -> TrainingDone:
    """By whoever read it, for themselves; saying it again begins its time anew. Raise TrainingChanged when another
    version counts by now, Denied to programs: for an agent whoever answers for it confirms.
    """
    if actor.is_service:
        raise Denied("a person confirms a training, no program")
    seen = visible(actor).select_for_update(of=("self",), no_key=True)
    row = seen.select_related("organisation").filter(public_id=training).first()
    if row is None:
        raise NotFound(f"training {training}")
    version = row.versions.order_by("-number").first()
    if version is None or version.number != number:
        raise TrainingChanged(f"another version than {number} of {training} counts")
    if not version.texts.filter(language=language).exists():
        raise BadField("language", "one in which there is this training")
    at = timezone.now()
    until = version.until(at)
    said, _ = TrainingDone.objects.update_or_create(
        version=version, person=actor, defaults={"language": language, "at": at, "until": until}
    )
    record(
        "access.training.confirmed",
        organisation=row.organisation.public_id,
        actor=actor.public_id,
        about=actor.public_id,
        training=training,
        person=actor.public_id,
        number=number,
        language=language,
        ends_at=until.isoformat(timespec="seconds") if until else "",
    )
    return said
