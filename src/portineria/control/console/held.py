# SPDX-License-Identifier: Apache-2.0
"""Requests that wait for somebody's yes, as pages show them. What a client sent is text, never more."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from portineria.control.access.deciding import decides_here
from portineria.control.console import texts, whereabouts
from portineria.control.console.texts.values import words
from portineria.control.console.whereabouts import Place
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries
from portineria.control.remote_sessions.models import HeldOperation, Session


@dataclass(frozen=True, slots=True)
class HeldRow:
    """``answers``: whether this reader may. ``in_time``: whether the tool still waits."""

    held: HeldOperation
    place: Place
    answers: bool
    in_time: bool

    @property
    def kind(self) -> str:
        return words("operation", self.held.kind)

    @property
    def protocol(self) -> str:
        return texts.protocol(self.held.protocol)

    @property
    def armed(self) -> bool:
        return self.held.outcome == "armed"


def waiting_for(actor: Person, at: datetime) -> list[HeldRow]:
    """The oldest first: it has the least time left."""
    return _rows(actor, queries.held_for(actor, at).order_by("asked_at", "pk"), at)


def held_in(actor: Person, session: Session, at: datetime) -> list[HeldRow]:
    """What waits, and what may be repeated now."""
    found = queries.held(actor).filter(session=session).order_by("asked_at", "pk")
    armed = found.filter(outcome="armed", decided_at__gt=at - queries.ARMED)
    return _rows(actor, [*found.waiting(at), *armed], at)


def _rows(actor: Person, rows: Iterable[HeldOperation], at: datetime) -> list[HeldRow]:
    found = list(rows)
    known = whereabouts.places(actor, [row.session.machine for row in found])
    return [
        HeldRow(row, known[row.session.machine_id], _answers(actor, row), in_time=row.held_until > at) for row in found
    ]


def _answers(actor: Person, row: HeldOperation) -> bool:
    open_question = row.allowed is None and row.person_id != actor.pk
    return open_question and decides_here(actor, row.session.organisation_id, timezone.now())
