# SPDX-License-Identifier: Apache-2.0
"""Notifications in words, for whoever reads them: from what they may see now, and from nothing that was kept."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.paginator import Page
from django.urls import reverse

from portineria.control.access import emergency_queries
from portineria.control.access import queries as access
from portineria.control.access.extending import extensions
from portineria.control.access.extension import Extension
from portineria.control.access.models import AccessRequest, EmergencyReview
from portineria.control.console import texts, whereabouts
from portineria.control.console.texts.notices import SENTENCES, SHOWN
from portineria.control.console.whereabouts import Place
from portineria.control.estate.models import Machine
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Person, Supplier
from portineria.control.notification.models import Notification
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.core.ids import Kind


@dataclass(frozen=True, slots=True)
class Notice:
    """``who`` and ``reason`` are other people's words."""

    row: Notification
    path: str  # of the page that it leads to
    place: Place | None = None
    who: str = ""
    reason: str = ""
    asked: AccessRequest | None = None
    until: date | None = None  # of a supplier's standing

    @property
    def sentence(self) -> str:
        return str(SENTENCES.get(self.row.code) or texts.event(self.row.code))

    @property
    def icon(self) -> str:
        return SHOWN[self.row.kind][0]

    @property
    def tone(self) -> str:
        return SHOWN[self.row.kind][1]


def notices(actor: Person, rows: Iterable[Notification]) -> list[Notice]:
    """A few queries however many they are. What they are about and is not seen any more is only said to have been."""
    found = list(rows)
    of: dict[str, set[str]] = defaultdict(set)
    for row in found:
        of[row.thing.partition("_")[0]].add(row.thing)
    things: dict[str, Any] = {}
    if of[Kind.REQUEST]:
        things |= {row.public_id: row for row in access.requests(actor).filter(public_id__in=of[Kind.REQUEST])}
    if of[Kind.EXTENSION]:
        things |= {row.public_id: row for row in extensions(actor).filter(public_id__in=of[Kind.EXTENSION])}
    if of[Kind.SESSION]:
        things |= {row.public_id: row for row in remote_sessions.sessions(actor).filter(public_id__in=of[Kind.SESSION])}
    if of[Kind.MACHINE]:
        seen = access.machines_in_sight(actor).filter(public_id__in=of[Kind.MACHINE])
        things |= {row.public_id: row for row in seen}
    if of[Kind.SUPPLIER]:
        suppliers = identity.own_suppliers(actor).filter(public_id__in=of[Kind.SUPPLIER])
        things |= {row.public_id: row for row in suppliers}
    if of[Kind.REVIEW]:
        reviews = emergency_queries.reviews(actor).filter(public_id__in=of[Kind.REVIEW])
        things |= {row.public_id: row for row in reviews}
    if of[Kind.LOCK]:
        things |= {row.public_id: row for row in access.locks(actor).filter(public_id__in=of[Kind.LOCK])}
    if of[Kind.PERSON]:
        things |= {row.public_id: row for row in identity.people(actor).filter(public_id__in=of[Kind.PERSON])}
    machines = [machine for thing in things.values() if (machine := _machine(thing)) is not None]
    places = whereabouts.places(actor, machines)
    return [_notice(row, things.get(row.thing), places) for row in found]


def notices_leaf(actor: Person, leaf: Page[Any]) -> Page[Notice]:
    leaf.object_list = notices(actor, leaf.object_list)
    return leaf


def _machine(thing: Any) -> Machine | None:
    return thing if isinstance(thing, Machine) else getattr(thing, "machine", None)


def _notice(row: Notification, thing: Any, places: dict[int, Place]) -> Notice:
    if thing is None:
        own_page = row.thing.startswith((f"{Kind.DELEGATION}_", f"{Kind.DIRECTORY_END}_"))
        return Notice(row, path_of(row) if own_page else reverse("console:home"))
    machine = _machine(thing)
    place = places.get(machine.pk) if machine is not None else None
    if row.thing.startswith(f"{Kind.REQUEST}_"):
        who, reason = _said(row, thing)
        return Notice(row, path_of(row), place, who, reason, thing)
    if isinstance(thing, Person):
        return Notice(row, path_of(row), who=thing.name)
    if row.thing.startswith(f"{Kind.LOCK}_"):
        return Notice(row, path_of(row), place, thing.made_by.name if thing.made_by else "", thing.reason)
    if isinstance(thing, Supplier):
        return Notice(row, path_of(row), who=thing.name, until=thing.standing_until)
    if isinstance(thing, EmergencyReview):
        return Notice(row, path_of(row), place, _opened_by(thing), thing.reason)
    if isinstance(thing, Extension):
        return Notice(row, path_of(row), place, thing.person.name, thing.reason)
    who = thing.person.name if row.kind == "held" else ""
    return Notice(row, path_of(row), place, who)


def _said(row: Notification, asked: AccessRequest) -> tuple[str, str]:
    """Of what waits who asks and why; of what was decided who decided, and what they wrote."""
    if row.kind == "waits":
        return asked.person.name, asked.reason
    for approval in asked.approvals.all():
        if approval.decided_by.public_id == row.by:
            return approval.decided_by.name, approval.reason
    return "", ""


def _opened_by(review: EmergencyReview) -> str:
    """As far as they are known here; of a supplier's person with the supplier. Its readers are staff."""
    names = ", ".join(person.name for person in (review.person, review.second) if person is not None)
    return f"{names} ({review.supplier.name})" if review.supplier is not None else names


def path_of(row: Notification) -> str:
    kind = row.thing.partition("_")[0]
    if kind == Kind.LOCK:
        return reverse("console:locks")
    if kind == Kind.PERSON:
        return reverse("console:unused")
    if kind == Kind.REVIEW:
        return reverse("console:emergencies")
    if kind == Kind.EXTENSION:
        return reverse("console:approvals")
    if kind == Kind.DELEGATION:
        return reverse("console:delegations")
    if kind == Kind.DIRECTORY_END:
        return reverse("console:directory-ends")
    named = {
        Kind.REQUEST: "request", Kind.SESSION: "session", Kind.MACHINE: "machine", Kind.SUPPLIER: "supplier",
    }  # fmt: skip
    return reverse(f"console:{named[Kind(kind)]}", args=[row.thing]) if kind in named else reverse("console:account")
