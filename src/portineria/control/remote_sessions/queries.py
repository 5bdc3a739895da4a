# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from portineria.control.audit import queries as audit
from portineria.control.audit.models import Event
from portineria.control.estate.models import Gateway, Link
from portineria.control.identity.models import Person, Supplier
from portineria.control.remote_sessions.models import Session, SessionQuerySet, SessionState, Stream
from portineria.core.errors import NotFound


def sessions(actor: Person) -> SessionQuerySet:
    """Newest first."""
    found = Session.objects.visible_to(actor).select_related(
        "organisation", "person", "machine__plant", "machine__line", "gateway", "grant__rule__supplier", "ended_by"
    )
    return found.order_by("-requested_at", "-pk")


def open_sessions(actor: Person) -> SessionQuerySet:
    """Who is inside now, and whose end is not yet proven."""
    return sessions(actor).open()


def session(actor: Person, public_id: str) -> Session:
    found = sessions(actor).select_related("receipt").filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"session {public_id}")
    return found


def streams(actor: Person, session: str) -> list[Stream]:
    found = Stream.objects.visible_to(actor).filter(session__public_id=session)
    return list(found.select_related("service__device").order_by("opened_at", "pk"))


def counted_at(streams: Iterable[Stream]) -> datetime | None:
    """When the streams that still run were counted last; None when none of them was."""
    return max((row.counted_at for row in streams if row.counted_at and not row.closed_at), default=None)


def session_events(actor: Person, public_id: str) -> list[audit.EventView]:
    """Everything the ledger has about one session the actor sees; a technician too sees that of their own."""
    row = session(actor, public_id)
    found = Event.objects.filter(organisation=row.organisation.public_id, session=row.public_id)
    return audit.views(found.prefetch_related("personal_values").order_by("seq"))


def supplier_of(session: Session) -> Supplier:
    """Through whose rule it came; raise NotFound for a rule that names a person."""
    supplier = session.grant.rule.supplier
    if supplier is None:
        raise NotFound(f"session {session.public_id} came through no supplier")
    return supplier


def links_of(gateway: Gateway) -> list[Link]:
    """Relays where the gateway is now, in the order of the settings."""
    return list(Link.objects.filter(gateway=gateway).select_related("relay").order_by("relay__position"))


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
