# SPDX-License-Identifier: Apache-2.0
"""Events as people read them: in words, with the names of what they are about, without what only a verifier needs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.utils import timezone

from portineria.control.audit import queries as audit
from portineria.control.audit.models import Event
from portineria.control.audit.queries import EventView
from portineria.control.console.event_values import Names, details, session_name
from portineria.control.console.templatetags.console import zone_of
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Service
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session
from portineria.core.ids import Kind

_LATEST = 10
_SAME = timedelta(seconds=5)  # a report is sealed, sent and stored in less; what took longer is worth a line


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event with the names of what it is about, as far as this person sees them."""

    view: EventView
    at: datetime  # when it happened, by the gateway that reported it
    received: datetime | None  # when it came, where that is later
    unproven: bool  # the gateway's clock was not, so ``at`` is when it came
    zone: tzinfo
    actor: str
    about: list[tuple[str, str, str]]  # (what it is, name, where to look)
    details: list[tuple[str, str]]


_SHOWN_ABOUT = ("machine", "gateway", "session", "person")


def event_rows(
    actor: Person, views: list[EventView], services: Iterable[Service] = (), zone: str = "",
    known: Mapping[str, str] | None = None,
) -> list[EventRow]:  # fmt: skip
    """``zone``: the page's own; otherwise each row is in that of its plant, or in the reader's. ``known``: names."""
    names = Names(actor, views, services, known)
    return [_row(actor, view, names, zone_of(zone or names.zone_of(view) or actor.time_zone)) for view in views]


def _row(actor: Person, view: EventView, names: Names, zone: tzinfo) -> EventRow:
    at, unproven = view.at, False
    if "gateway_at_ms" in view.fields:
        told = int(view.fields["gateway_at_ms"])
        at, unproven = remote_sessions.happened_at(told, view.at), not remote_sessions.time_proven(told, view.at)
    with timezone.override(zone):
        return EventRow(
            view=view,
            at=at,
            received=view.at if view.at - at > _SAME else None,
            unproven=unproven,
            zone=zone,
            actor=names[view.actor],
            about=[
                (name, names[str(view.fields[name])], str(view.fields[name]))
                for name in _SHOWN_ABOUT
                if view.fields.get(name) and view.fields[name] != view.actor
            ],
            details=details(view, names),
        )


def session_events(actor: Person, session: Session, found: Iterable[Event], zone: str) -> list[EventRow]:
    """``found``: some of those about it. Whoever works in a session sees its services anyway, and so their names.

    ``zone`` as everything on that page; empty for the reader's own.
    """
    views = audit.views(found)
    named = any(f"{Kind.SERVICE}_" in str(value) for view in views for value in view.fields.values())
    services = estate.services_of(session.machine) if named else ()
    known = {session.public_id: session_name(session)}
    return event_rows(actor, views, services, zone or actor.time_zone, known)


def gateway_events(actor: Person, public_id: str) -> list[EventRow]:
    return event_rows(actor, audit.views(audit.events(actor, gateway=public_id)[:_LATEST]))
