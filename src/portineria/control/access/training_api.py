# SPDX-License-Identifier: Apache-2.0
"""Trainings for connectors: read, then confirmed."""

from datetime import datetime

from django.http import HttpRequest
from django.utils import translation
from ninja import Router, Schema
from pydantic import Field

from portineria.control.access import training_queries as queries
from portineria.control.access import trainings as services
from portineria.control.identity.api import ERRORS, Asked, connector, person_of
from portineria.control.identity.models import Person

router = Router(tags=["trainings"], auth=connector)
_MOST_32 = (1 << 31) - 1


class TrainingView(Schema):
    """``text``, ``link``: one of them may be empty. ``until``: of the confirmation; none where it counts for good."""

    training: str
    name: str
    organisation: str
    number: int
    language: str
    text: str
    link: str
    days: int | None
    confirmed: bool
    until: datetime | None


def _view(person: Person, training: str, language: str) -> TrainingView:
    shown = queries.training(person, training, language)
    return TrainingView(
        training=training, name=shown.training.name, organisation=shown.training.organisation.name,
        number=shown.version.number, language=shown.text.language, text=shown.text.text, link=shown.text.link,
        days=shown.version.days, confirmed=shown.confirmed_at is not None, until=shown.until,
    )  # fmt: skip


@router.get("/trainings/{training}", response={200: TrainingView, **ERRORS})
def training(request: HttpRequest, training: str) -> TrainingView:
    """In the person's own language; in that of the request where they chose none."""
    person = person_of(request)
    return _view(person, training, person.language or translation.get_language_from_request(request))


class Confirmed(Asked):
    number: int = Field(ge=1, le=_MOST_32)
    language: str = Field(max_length=5)


@router.post("/trainings/{training}/confirm", response={200: TrainingView, **ERRORS})
def confirm(request: HttpRequest, training: str, asked: Confirmed) -> TrainingView:
    """For oneself; ``number`` and ``language`` are of the text that was shown."""
    person = person_of(request)
    services.confirm_training(actor=person, training=training, number=asked.number, language=asked.language)
    return _view(person, training, asked.language)
