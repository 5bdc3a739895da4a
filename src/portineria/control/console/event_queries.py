# SPDX-License-Identifier: Apache-2.0
"""Events as people read them: in words, with the names of what they are about, without what only a verifier needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from portineria.control.audit import queries as audit
from portineria.control.audit.queries import EventView
from portineria.control.console import texts
from portineria.control.console.templatetags.console import moment_text, size, zone_of
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Service
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.core.event import REPORTED_BY_GATEWAYS

_LATEST = 10


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event with the names of what it is about, as far as this person sees them."""

    view: EventView
    actor: str
    about: list[tuple[str, str, str]]  # (what it is, name, where to look)
    details: list[tuple[str, str]]


_SHOWN_ABOUT = ("machine", "gateway", "session", "person")


class Names:
    """Public id → name, for one page of events. One query per kind."""

    def __init__(self, actor: Person, views: Iterable[EventView], services: Iterable[Service] = ()) -> None:
        ids = {str(value) for view in views for value in view.fields.values() if isinstance(value, str)}
        ids |= {view.actor for view in views}
        self._names: dict[str, str] = {"portineria": "Portineria", "operator": str(texts.OPERATOR)}
        self._names |= {service.public_id: service.name for service in services}
        self._names |= dict(estate.machines(actor).filter(public_id__in=ids).values_list("public_id", "name"))
        self._names |= dict(estate.gateways(actor).filter(public_id__in=ids).values_list("public_id", "name"))
        self._names |= dict(identity.people(actor).filter(public_id__in=ids).values_list("public_id", "name"))
        self._names |= dict(estate.plants(actor).filter(public_id__in=ids).values_list("public_id", "name"))
        self._names |= dict(estate.services(actor).filter(public_id__in=ids).values_list("public_id", "name"))
        self._names |= dict(identity.suppliers(actor).filter(public_id__in=ids).values_list("public_id", "name"))

    def __getitem__(self, public_id: str) -> str:
        """Whom this person may not look up is called by what they are: an id would tell nothing, or too much."""
        kind = public_id.partition("_")[0]
        return self._names.get(public_id) or str(texts.SOMEBODY.get(kind, public_id))


def event_rows(actor: Person, views: list[EventView], services: Iterable[Service] = ()) -> list[EventRow]:
    names = Names(actor, views, services)
    return [
        EventRow(
            view=view,
            actor=names[view.actor],
            about=[
                (name, names[str(view.fields[name])], str(view.fields[name]))
                for name in _SHOWN_ABOUT
                if view.fields.get(name) and view.fields[name] != view.actor
            ],
            details=_details(view, names),
        )
        for view in views
    ]


# Of use to whoever verifies the chain, or named elsewhere in the row; not to whoever reads the page.
_NOT_SHOWN = {
    *_SHOWN_ABOUT, "epoch", "previous_epoch", "gateway_seq", "previous_seq", "report_sha256", "stored_sha256", "boot",
    "previous_boot", "gateway_at_ms", "order_sha256", "order_seq", "request", "grant", "rule", "lookup", "stream",
    "key", "sha256", "expires_ms", "installation", "token", "unix_ms", "source", "dead",
}  # fmt: skip
_CODES = {"why", "ending", "reasons"}
_BYTES = {"to_device", "from_device", "limit_bytes"}


def _details(view: EventView, names: Names) -> list[tuple[str, str]]:
    shown = [(name, value) for name, value in view.fields.items() if name not in _NOT_SHOWN]
    return [(texts.field_name(name), _detail(view.code, name, value, names)) for name, value in shown]


def _detail(code: str, name: str, value: Any, names: Names) -> str:
    if value is None:
        return texts.field_name("erased")
    if name.endswith("_at"):
        return moment_text(datetime.fromisoformat(value))
    if name in _BYTES:
        return size(int(value))
    if name == "how":
        return texts.how_closed(value)
    # The reason that a gateway gives is a code of its own; the reason that a person gives is what they wrote.
    if name in _CODES or (name == "reason" and code in REPORTED_BY_GATEWAYS):
        return ", ".join(texts.reason(word) for word in str(value).split())
    return names[str(value)]


_KIND_OF_ID = {"ses": "session", "mac": "machine", "gw": "gateway", "per": "person"}


def about_filter(public_id: str) -> dict[str, str]:
    """An id says itself what it is of; anything else finds nothing rather than everything."""
    kind = _KIND_OF_ID.get(public_id.partition("_")[0])
    if not public_id:
        return {}
    return {kind or "session": public_id}


def session_events(actor: Person, public_id: str) -> list[EventRow]:
    """Whoever works in a session sees its services anyway, and so their names."""
    machine = remote_sessions.session(actor, public_id).machine
    with timezone.override(zone_of(machine.plant.time_zone)):  # as everything on that page
        return event_rows(actor, remote_sessions.session_events(actor, public_id), estate.services_of(machine))


def gateway_events(actor: Person, public_id: str) -> list[EventRow]:
    return event_rows(actor, audit.views(audit.events(actor, gateway=public_id)[:_LATEST]))
