# SPDX-License-Identifier: Apache-2.0
from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.access import extending
from portineria.control.access.extension import Extension
from portineria.control.identity.api import ERRORS, Asked, connector, person_of
from portineria.control.identity.models import Person

router = Router(tags=["access"], auth=connector)
_MOST_32 = (1 << 31) - 1


class AskMore(Asked):
    machine: str = Field(max_length=200)
    minutes: int = Field(ge=-_MOST_32, le=_MOST_32)  # how many are allowed the rule says, in words
    reason: str = Field(max_length=1000)


class MoreView(Schema):
    """``ends_at``: of the permission, as it is now."""

    extension: str
    grant: str
    machine: str
    state: str
    minutes: int
    decision_reason: str
    ends_at: datetime


def _view(row: Extension) -> MoreView:
    return MoreView(
        extension=row.public_id, grant=row.grant.public_id, machine=row.machine.public_id, state=row.state,
        minutes=row.minutes, decision_reason=row.answer, ends_at=row.grant.ends_at,
    )  # fmt: skip


def _shown(person: Person, extension: str) -> MoreView:
    return _view(extending.extension(person, extension))


@router.post("/extensions", response={200: MoreView, **ERRORS})
def ask_for_more(request: HttpRequest, asked: AskMore) -> MoreView:
    """More time for what runs at a machine; where the rule needs no approval it is given at once."""
    person = person_of(request)
    grant = extending.grant_running(person, asked.machine)
    made = extending.ask_for_more(actor=person, grant=grant.public_id, minutes=asked.minutes, reason=asked.reason)
    return _shown(person, made.public_id)


class WithdrawMore(Asked):
    machine: str = Field(max_length=200)


@router.post("/extensions/withdraw", response={200: MoreView, **ERRORS})
def withdraw_more(request: HttpRequest, asked: WithdrawMore) -> MoreView:
    """What the caller waits for at a machine; what runs keeps its end."""
    person = person_of(request)
    return _shown(person, extending.withdraw_more_at(actor=person, machine=asked.machine).public_id)


@router.get("/extensions/{extension}", response={200: MoreView, **ERRORS})
def one_extension(request: HttpRequest, extension: str) -> MoreView:
    return _shown(person_of(request), extension)
