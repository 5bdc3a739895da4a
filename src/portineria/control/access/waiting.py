# SPDX-License-Identifier: Apache-2.0
"""What waits for a decision is read by somebody: not too much of it, and nothing twice."""

from datetime import datetime, timedelta

from portineria.control.access.models import AccessRequest, RequestState
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Person
from portineria.core.errors import Conflict

WAITING_REQUESTS = 20  # of one person at one organisation: whoever approves has to be able to read them


class TooManyRequests(Conflict):
    code = "access.request.too-many"


class AlreadyWaiting(Conflict):
    code = "access.request.waits"

    def __init__(self, request: AccessRequest) -> None:
        super().__init__(f"{request.public_id} waits already")
        self.values = {"request": request.public_id}


def keep_readable(actor: Person, machine: Machine, starts_at: datetime | None, minutes: int, weekly: str = "") -> None:
    """Raise AlreadyWaiting, TooManyRequests."""
    Person.objects.select_for_update(no_key=True).get(
        pk=actor.pk
    )  # one request after the other, or two would not see each other
    waiting = AccessRequest.objects.filter(person=actor, state=RequestState.PENDING)
    for row in waiting.filter(machine=machine).order_by("made_at", "pk"):
        if row.weekly == weekly and (weekly or _same_time(row, starts_at, minutes)):
            raise AlreadyWaiting(row)
    if waiting.filter(organisation=machine.plant.organisation_id).count() >= WAITING_REQUESTS:
        raise TooManyRequests(f"{WAITING_REQUESTS} requests of {actor.public_id} wait already")


def _same_time(row: AccessRequest, starts_at: datetime | None, minutes: int) -> bool:
    """Two that begin with the approval, or two windows that overlap."""
    if row.starts_at is None or starts_at is None:
        return row.starts_at is starts_at
    return row.starts_at < starts_at + timedelta(minutes=minutes) and starts_at < row.starts_at + timedelta(
        minutes=row.minutes
    )
