# SPDX-License-Identifier: Apache-2.0
"""Who is inside and was: sessions, what gateways hold for a yes, and what is known of recordings."""

from datetime import datetime
from typing import Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema

from portineria.control.identity.models import Person
from portineria.control.remote_sessions import freezing, queries, services
from portineria.control.remote_sessions.held import answer_held
from portineria.control.remote_sessions.models import HeldOperation, Recording, Session, Stream
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Id, MaybeReason, Reason, acts, reads

router = Router(tags=["sessions"])


class SessionView(Schema):
    """``signed``: its end, by the gateway; ``frozen``: as ordered, ``frozen_proven``: as the gateway signed."""

    session: str
    organisation: str
    machine: str
    machine_name: str
    person: str
    person_name: str
    agent: bool
    grant: str
    state: str
    requested_at: datetime
    live_at: datetime | None
    ends_at: datetime
    drain_until: datetime | None
    ended_at: datetime | None
    ending: str
    ending_class: str
    end_why: list[str]
    end_reason: str
    proven_cut: bool
    signed: bool
    frozen: bool
    frozen_proven: bool
    to_device: int
    from_device: int


class StreamView(Schema):
    service: str | None
    opened_at: datetime
    closed_at: datetime | None


class RecordingView(Schema):
    """Of what is kept; the contents are for who has a key, from ``portineria recording``."""

    recording: str
    began_at: datetime
    ended_at: datetime | None
    chunks: int
    bytes: int
    lost: int
    end: str


class HeldView(Schema):
    """An operation that waits at the gateway; its texts are what the technician's program sent."""

    held: str
    session: str
    protocol: str
    function: str
    kind: str
    targets: str
    values: str
    asked_at: datetime
    held_until: datetime
    answer_until: datetime
    allowed: bool | None
    decided_by: str | None
    outcome: str


def _session_view(row: Session) -> SessionView:
    return SessionView(
        session=row.public_id, organisation=row.organisation.public_id, machine=row.machine.public_id,
        machine_name=row.machine.name, person=row.person.public_id, person_name=row.person.name,
        agent=row.person.is_agent, grant=row.grant.public_id, state=row.state,
        requested_at=row.requested_at, live_at=row.live_at,
        ends_at=row.expires_at, drain_until=row.drain_until, ended_at=row.ended_at, ending=row.ending,
        ending_class=row.ending_class, end_why=row.end_why.split(), end_reason=row.end_reason,
        proven_cut=row.proven_cut, signed=row.receipt_id is not None, frozen=row.frozen,
        frozen_proven=row.frozen and row.freeze_proven_at is not None,
        to_device=row.to_device, from_device=row.from_device,
    )  # fmt: skip


class WhichSessions(Schema):
    open: bool = False
    machine: str = ""


@reads(router, "/sessions", Leaf[SessionView])
def sessions(request: HttpRequest, place: Where, which: Query[WhichSessions]) -> Leaf[SessionView]:
    """Newest first. ``open``: who is inside now, and whose end is not yet proven."""
    actor = person_of(request)
    found = queries.open_sessions(actor) if which.open else queries.sessions(actor)
    if which.machine:
        found = found.filter(machine__public_id=which.machine)
    return leaf(
        actor, f"sessions {which.open} {which.machine}", found, place,
        lambda rows: [_session_view(row) for row in rows], newest_first=True,
    )  # fmt: skip


def _session(actor: Person, session: str) -> SessionView:
    return _session_view(queries.session(actor, session))


@reads(router, "/sessions/{session}", SessionView)
def session(request: HttpRequest, session: Id) -> SessionView:
    return _session(person_of(request), session)


def _streams(rows: list[Stream]) -> list[StreamView]:
    return [
        StreamView(
            service=row.service.public_id if row.service else None, opened_at=row.opened_at, closed_at=row.closed_at
        )
        for row in rows
    ]


@reads(router, "/sessions/{session}/streams", Leaf[StreamView])
def streams(request: HttpRequest, session: Id, place: Where) -> Leaf[StreamView]:
    """Newest first."""
    actor = person_of(request)
    row = queries.session(actor, session)
    found = queries.streams(actor, row.public_id)
    return leaf(actor, f"streams {row.pk}", found, place, _streams, newest_first=True)


def _recordings(rows: list[Recording]) -> list[RecordingView]:
    return [
        RecordingView(
            recording=row.public_id, began_at=row.began_at, ended_at=row.ended_at, chunks=row.chunks, bytes=row.size,
            lost=row.lost, end=row.end,
        )
        for row in rows
    ]  # fmt: skip


@reads(router, "/sessions/{session}/recordings", Leaf[RecordingView])
def recordings(request: HttpRequest, session: Id, place: Where) -> Leaf[RecordingView]:
    actor = person_of(request)
    row = queries.session(actor, session)
    return leaf(actor, f"recordings {row.pk}", queries.recordings(actor, row.public_id), place, _recordings)


@acts(router, "/sessions/{session}/cut", SessionView, Scope.OPERATE)
def session_cut(request: HttpRequest, session: Id, given: Reason) -> SessionView:
    """Ordered at once; ``proven_cut`` says so only when the gateway signed for it."""
    actor = person_of(request)
    services.cut(actor=actor, session=session, reason=given.reason)
    return _session(actor, session)


@acts(router, "/sessions/{session}/end", SessionView, Scope.OPERATE)
def session_end(request: HttpRequest, session: Id, given: MaybeReason) -> SessionView:
    """Nothing new can start; what runs may finish within the machine's time."""
    actor = person_of(request)
    services.drain(actor=actor, session=session, reason=given.reason)
    return _session(actor, session)


@acts(router, "/sessions/{session}/freeze", SessionView, Scope.OPERATE)
def session_freeze(request: HttpRequest, session: Id, given: Reason) -> SessionView:
    actor = person_of(request)
    freezing.freeze(actor=actor, session=session, reason=given.reason)
    return _session(actor, session)


@acts(router, "/sessions/{session}/thaw", SessionView, Scope.OPERATE)
def session_thaw(request: HttpRequest, session: Id, given: MaybeReason) -> SessionView:
    actor = person_of(request)
    freezing.thaw(actor=actor, session=session, reason=given.reason)
    return _session(actor, session)


def _held_view(row: HeldOperation) -> HeldView:
    return HeldView(
        held=row.public_id, session=row.session.public_id, protocol=row.protocol, function=row.function,
        kind=row.kind, targets=row.targets, values=row.values, asked_at=row.asked_at, held_until=row.held_until,
        answer_until=row.answer_until, allowed=row.allowed,
        decided_by=row.decided_by.public_id if row.decided_by else None, outcome=row.outcome,
    )  # fmt: skip


class WhichHeld(Schema):
    waiting: Literal["", "me"] = ""


@reads(router, "/held", Leaf[HeldView])
def held(request: HttpRequest, place: Where, which: Query[WhichHeld]) -> Leaf[HeldView]:
    """Newest first. ``waiting=me``: what waits for the caller's own answer."""
    actor = person_of(request)
    found = queries.held_for(actor, timezone.now()) if which.waiting else queries.held(actor)
    return leaf(
        actor, f"held {which.waiting}", found, place, lambda rows: [_held_view(row) for row in rows],
        newest_first=True,
    )  # fmt: skip


@reads(router, "/held/{held}", HeldView)
def one_held(request: HttpRequest, held: Id) -> HeldView:
    return _held_view(queries.held_operation(person_of(request), held))


class Answer(MaybeReason):
    allowed: bool


@acts(router, "/held/{held}/answer", HeldView, Scope.APPROVE)
def held_answer(request: HttpRequest, held: Id, given: Answer) -> HeldView:
    """To exactly this operation; the first answer counts, and nobody answers for their own."""
    actor = person_of(request)
    answer_held(actor=actor, held=held, allowed=given.allowed, reason=given.reason)
    return _held_view(queries.held_operation(actor, held))
