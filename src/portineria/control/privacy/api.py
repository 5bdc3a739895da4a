# SPDX-License-Identifier: Apache-2.0
"""Notices for connectors: read, then acknowledged."""

from django.http import HttpRequest
from django.utils import translation
from ninja import Router, Schema
from pydantic import Field

from portineria.control.identity.api import ERRORS, Asked, connector, person_of
from portineria.control.identity.models import Person
from portineria.control.privacy import queries, services

router = Router(tags=["notices"], auth=connector)
_MOST_32 = (1 << 31) - 1


class NoticeView(Schema):
    organisation: str
    name: str
    number: int
    language: str
    what: str
    why: str
    who: str
    how_long: str
    acknowledged: bool


def _view(person: Person, organisation: str, language: str) -> NoticeView:
    shown = queries.notice(person, organisation, language)
    text = shown.text
    return NoticeView(
        organisation=organisation, name=shown.organisation.name, number=shown.number, language=text.language,
        what=text.what, why=text.why, who=text.who, how_long=text.how_long,
        acknowledged=shown.acknowledged_at is not None,
    )  # fmt: skip


@router.get("/notices/{organisation}", response={200: NoticeView, **ERRORS})
def notice(request: HttpRequest, organisation: str) -> NoticeView:
    """In the person's own language; in that of the request where they chose none."""
    person = person_of(request)
    return _view(person, organisation, person.language or translation.get_language_from_request(request))


class Acknowledged(Asked):
    number: int = Field(ge=1, le=_MOST_32)
    language: str = Field(max_length=5)


@router.post("/notices/{organisation}/acknowledge", response={200: NoticeView, **ERRORS})
def acknowledge(request: HttpRequest, organisation: str, asked: Acknowledged) -> NoticeView:
    """For oneself; ``number`` and ``language`` are of the text that was shown."""
    person = person_of(request)
    services.acknowledge(actor=person, organisation=organisation, number=asked.number, language=asked.language)
    return _view(person, organisation, asked.language)
