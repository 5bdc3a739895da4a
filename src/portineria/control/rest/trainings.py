# SPDX-License-Identifier: Apache-2.0
"""Trainings that rules may ask for. To confirm one is for people, who have read it: no program does it for them."""

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.access import training_queries as queries
from portineria.control.access import trainings as services
from portineria.control.access.training import MOST_DAYS, TRAINING_LINK, TRAINING_TEXT, TrainingVersion
from portineria.control.remote_sessions.second_yes import foreseen
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Confirmed, Given, Id, Reason, acts, reads

router = Router(tags=["trainings"])


class TrainingView(Schema):
    """``confirmed``: how many people whose confirmation counts now; nobody is named. ``days``: null is for good."""

    training: str
    organisation: str
    name: str
    number: int
    days: int | None
    published_at: datetime
    published_by: str
    confirmed: int
    texts: dict[str, dict[str, str]]


def _view(row: TrainingVersion) -> TrainingView:
    return TrainingView(
        training=row.training.public_id, organisation=row.training.organisation.public_id, name=row.training.name,
        number=row.number, days=row.days, published_at=row.published_at, published_by=row.published_by.public_id,
        confirmed=row.__dict__["people"],  # by ``queries.offered``
        texts={text.language: {"text": text.text, "link": text.link} for text in row.texts.order_by("pk")},
    )  # fmt: skip


@reads(router, "/trainings", Leaf[TrainingView])
def trainings(request: HttpRequest, place: Where) -> Leaf[TrainingView]:
    """The versions that count. For staff."""
    actor = person_of(request)
    return leaf(actor, "trainings", queries.offered(actor), place, lambda rows: [_view(row) for row in rows])


@reads(router, "/trainings/{training}", TrainingView)
def training(request: HttpRequest, training: Id) -> TrainingView:
    return _view(queries.one_offered(person_of(request), training))


class Words(Given):
    language: Literal["en", "it", "ja"]
    text: str = Field(default="", max_length=TRAINING_TEXT)
    link: str = Field(default="", max_length=TRAINING_LINK)


class Version(Given):
    """In one language at least. ``days``: how long a confirmation counts; null is for good."""

    words: list[Words] = Field(min_length=1, max_length=3)
    days: int | None = Field(default=None, ge=1, le=MOST_DAYS)

    def taken(self) -> dict[str, Any]:
        """As the service takes it."""
        return {"words": {one.language: (one.text, one.link) for one in self.words}, "days": self.days}


class NewTraining(Version):
    organisation: str = Field(max_length=24)
    name: str = Field(min_length=1, max_length=60)


@acts(router, "/trainings", TrainingView, Scope.ADMINISTER)
def training_add(request: HttpRequest, given: NewTraining) -> TrainingView:
    actor = person_of(request)
    made = services.publish_training(actor=actor, organisation=given.organisation, name=given.name, **given.taken())
    return _view(queries.one_offered(actor, made.training.public_id))


class NextVersion(Version, Confirmed):
    """Of a training that is there already."""


@acts(router, "/trainings/{training}/versions", TrainingView, Scope.ADMINISTER)
def training_version(request: HttpRequest, training: Id, given: NextVersion) -> TrainingView:
    """Everybody has to confirm it anew; what runs under a rule that asks for it drains, more than five sessions only
    with a second yes.
    """
    actor = person_of(request)
    foreseen(
        lambda: services.publish_training(actor=actor, training=training, **given.taken()), actor=actor,
        organisation=queries.one_offered(actor, training).training.organisation_id, confirmed=given.confirm,
    )  # fmt: skip
    return _view(queries.one_offered(actor, training))


class TrainingEnded(Schema):
    training: str
    ended_at: datetime | None


@acts(router, "/trainings/{training}/end", TrainingEnded, Scope.ADMINISTER)
def training_end(request: HttpRequest, training: Id, given: Reason) -> TrainingEnded:
    """Refused while a rule asks for it."""
    row = services.end_training(actor=person_of(request), training=training, reason=given.reason)
    return TrainingEnded(training=row.public_id, ended_at=row.ended_at)
