# SPDX-License-Identifier: Apache-2.0
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import BooleanField, ExpressionWrapper, Max, Q

from portineria.control.access.deciding import deciding_where
from portineria.control.access.firm import firm_by_grant, firm_under
from portineria.control.audit import queries as audit
from portineria.control.audit.models import EventQuerySet
from portineria.control.estate.models import Gateway, Link
from portineria.control.identity.models import Person, Supplier
from portineria.control.kept_query import KeptRows
from portineria.control.remote_sessions.models import (
    HeldOperation,
    HeldQuerySet,
    KnownWork,
    Recording,
    RecordingQuerySet,
    Session,
    SessionQuerySet,
    SessionState,
    Stream,
    StreamQuerySet,
)
from portineria.core.errors import NotFound


def sessions(actor: Person) -> SessionQuerySet:
    """Newest first."""
    found = Session.objects.visible_to(actor).select_related(
        "organisation", "person", "machine__plant__organisation", "machine__line", "gateway", "grant__rule__supplier",
        "grant__rule__profile", "grant__profile", "grant__narrower", "ended_by",
    )  # fmt: skip
    return found.order_by("-requested_at", "-pk")


def with_firm(rows: SessionQuerySet) -> SessionQuerySet:
    """``firm``: for whom each works, for pages; apart, for in every query it leads SQLite to another index."""
    return rows.annotate(firm=firm_by_grant())


def open_sessions(actor: Person) -> SessionQuerySet:
    """Who is inside now, and whose end is not yet proven."""
    return sessions(actor).open()


def session(actor: Person, public_id: str) -> Session:
    return _called(sessions(actor), public_id)


def reported(actor: Person, public_id: str) -> Session:
    """With its service report, where it has one. Raise NotFound."""
    return _called(sessions(actor).select_related("service_report"), public_id)


def _called(rows: SessionQuerySet, public_id: str) -> Session:
    found = rows.select_related("receipt", "grant__request").filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"session {public_id}")
    return found


def last_sessions(actor: Person, machines: Collection[int]) -> dict[int, Session]:
    """The newest of each of these machines, by key, with its person."""
    mine = Session.objects.visible_to(actor).filter(machine__in=machines)
    newest = mine.order_by().values("machine").annotate(newest=Max("pk")).values("newest")
    rows = Session.objects.visible_to(actor).filter(pk__in=newest).select_related("person")
    return {row.machine_id: row for row in rows.defer("order", "certificate", "withdrawal", "key")}


def streams(actor: Person, session: str) -> StreamQuerySet:
    """Those that run, then those that are closed; the newest of each first. There may be thousands."""
    seen = Session.objects.visible_to(actor).filter(public_id=session)
    found = Stream.objects.filter(session__in=seen).select_related("service__device")
    return found.order_by(ExpressionWrapper(Q(closed_at__isnull=False), BooleanField()), "-opened_at", "-pk")


def counted_at(streams: StreamQuerySet) -> datetime | None:
    """When those that still run were counted last; None when none of them was."""
    last: datetime | None = streams.filter(closed_at__isnull=True).aggregate(last=Max("counted_at"))["last"]
    return last


def session_events(actor: Person, public_id: str) -> EventQuerySet:
    """Everything the ledger has about one session the actor sees, newest first; a technician too sees that of their
    own.
    """
    row = session(actor, public_id)
    return audit.of_session(row.organisation.public_id, row.public_id)


ARMED = timedelta(seconds=120)  # what a yes to a held operation is worth


def held(actor: Person) -> HeldQuerySet:
    """What gateways hold or held, the newest first."""
    found = HeldOperation.objects.visible_to(actor).select_related(
        "session__person", "session__organisation", "session__machine__plant__organisation", "session__machine__line",
        "session__grant__rule__supplier", "service__device", "decided_by",
    ).annotate(firm=firm_by_grant("session__"))  # fmt: skip
    return found.order_by("-asked_at", "-pk")


def held_operation(actor: Person, public_id: str) -> HeldOperation:
    found = held(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"held operation {public_id}")
    return found


def held_for(actor: Person, at: datetime) -> HeldQuerySet:
    """What waits for this very person: where they approve or stand in, and not of their own session."""
    return held(actor).waiting(at).filter(deciding_where("session__organisation", actor, at)).exclude(person=actor)


def recordings(actor: Person, session: str) -> RecordingQuerySet:
    """What is kept here of one session, as the register has it; what is in them only the owner's people read."""
    return Recording.objects.visible_to(actor).filter(session__public_id=session).order_by("pk")


def first_work(actor: Person, session: str) -> list[tuple[str, str]]:
    """Kind and name of what its supplier had never done on this machine before."""
    seen = Session.objects.visible_to(actor).filter(public_id=session)
    rows = KnownWork.objects.filter(session__in=seen).order_by("kind", "name")
    return list(rows.values_list("kind", "name"))


_AHEAD = timedelta(seconds=5)  # a gateway's clock is set by ours, to within the way that the answer took


def happened_at(at_ms: int, received: datetime) -> datetime:
    """The gateway's trusted time, ms since 1970, where it has one that is not in our future."""
    if not 0 < at_ms < int(received.timestamp() * 1000):
        return received
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)


def time_proven(at_ms: int, received: datetime) -> bool:
    """Not while the gateway has heard no signed time (WIRE 10), nor for what it says of our future."""
    return 0 < at_ms <= int((received + _AHEAD).timestamp() * 1000)


def supplier_of(session: Session) -> Supplier:
    """For whom whoever works there works; raise NotFound for the owner's own people."""
    supplier = firm_under(session.grant.rule, session.person, session.organisation_id)
    if supplier is None:
        raise NotFound(f"session {session.public_id} came through no supplier")
    return supplier


def links_of(gateway: Gateway) -> list[Link]:
    """Relays where the gateway is now, in the order of the settings."""
    return _LINKS.all(gateway.pk)


_LINKS = KeptRows(
    lambda gateway: Link.objects.filter(gateway=gateway).select_related("relay").order_by("relay__position")
)


@dataclass(frozen=True, slots=True)
class Countdown:
    """What the page counts down to, and what happens then."""

    state: str
    until: datetime | None


def countdown(session: Session) -> Countdown:
    if session.state == SessionState.DRAINING:
        return Countdown("draining", session.drain_until)
    if session.state in (SessionState.OPENING, SessionState.LIVE):
        return Countdown("live", session.expires_at)
    return Countdown(str(session.state), None)
