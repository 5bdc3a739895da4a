# SPDX-License-Identifier: Apache-2.0
"""The first page: who is inside, what waits, what is away."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Page
from django.db.models import QuerySet
from django.utils import timezone

from portineria.control.access import emergency_queries
from portineria.control.access import queries as access
from portineria.control.access.answerable import decidable_requests
from portineria.control.access.extending import decidable_extensions
from portineria.control.access.extension import ExtensionQuerySet
from portineria.control.access.models import RequestQuerySet
from portineria.control.access.queries import MachineSight
from portineria.control.console import emergency_rows, extension_rows, queries, whereabouts
from portineria.control.console.emergency_rows import ReviewRow
from portineria.control.console.extension_rows import ExtensionRow
from portineria.control.console.held import HeldRow, waiting_for
from portineria.control.console.queries import Seen
from portineria.control.console.whereabouts import Asked, Place
from portineria.control.console.which_wait import which_wait
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Gateway, GatewayState
from portineria.control.identity import sponsoring
from portineria.control.identity.models import Membership, Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.directory_end_queries import directory_ends_for, with_stays
from portineria.control.remote_sessions.models import DirectoryEnd, SessionQuerySet

_AWAY = 20  # when a plant loses its line all its gateways are: the list of gateways has the others
_SPONSORED = 20  # the page of people has the others
_SEVERAL = 3  # machines: whoever has so many knows the way
Leaf = Callable[[SessionQuerySet | RequestQuerySet | ExtensionQuerySet, str], Page[Any]]


@dataclass(frozen=True, slots=True)
class Now:
    """The first page."""

    held: list[HeldRow]  # what waits for this person's yes, seconds long
    emergencies: list[ReviewRow]  # that nobody has signed yet
    inside: Page[Seen]
    decidable: Page[Asked]
    mine: list[Asked]
    reachable: list[tuple[MachineSight, Place]]
    unread: list[tuple[MachineSight, Place]]  # reachable as soon as something is read and confirmed
    waiting_gateways: list[Gateway]
    away: list[Gateway]  # the first of them
    away_in_all: int
    staff: bool
    administers: bool
    asks: bool
    gateways: int
    machines: int
    directory_ends: list[DirectoryEnd]  # that wait for this person's answer
    sponsored: list[Membership]  # suppliers' people of whom this person has to say whether they stay
    more: Page[ExtensionRow] | None  # time that somebody at work waits for
    missing: str  # the next step: "customers"; of whoever administers "plant", "gateway", "machine", "rule"; or nothing


def now(actor: Person, leaf: Leaf) -> Now:
    """``leaf`` takes the part of a long list that is to be shown, and the name of that list."""
    staff, asks = queries.is_staff(actor), queries.asks_for_access(actor)
    gateways = list(estate.gateways(actor))
    admitted = [gateway for gateway in gateways if gateway.state in (GatewayState.ADMITTED, GatewayState.QUARANTINED)]
    away = [gateway for gateway in admitted if queries.shown_gateway_state(gateway) != "connected"]
    inside = leaf(with_stays(remote_sessions.with_firm(remote_sessions.open_sessions(actor))), "inside")
    waiting = leaf(whereabouts.waiting(decidable_requests(actor)), "waiting")
    mine = list(whereabouts.waiting(access.pending_requests(actor)).filter(person=actor)) if asks else []
    named = [row.machine for rows in (inside, waiting, mine) for row in rows]
    sights, reachable = access.sights_and_reachable(actor, [row.pk for row in named]) if asks else (None, [])
    known = whereabouts.places(actor, named, sights)
    inside.object_list = [Seen(session, actor, known[session.machine_id]) for session in inside]
    waiting.object_list = [Asked(row, known[row.machine_id]) for row in waiting]
    administers, at = queries.administers(actor), timezone.now()
    waits = _kinds(actor, at) if staff else frozenset()
    machines = estate.machines(actor).count() if staff else 0
    return Now(
        held=waiting_for(actor, at) if "held" in waits else [],
        emergencies=emergency_rows.unsigned(actor) if "emergencies" in waits else [],
        inside=inside,
        decidable=waiting,
        mine=[Asked(row, known[row.machine_id]) for row in mine],
        reachable=_placed(row for row in reachable if not row.to_confirm),
        unread=_placed(row for row in reachable if row.to_confirm),
        waiting_gateways=[gateway for gateway in gateways if gateway.state == GatewayState.WAITING],
        away=away[:_AWAY],
        away_in_all=len(away),
        staff=staff,
        administers=administers,
        asks=asks,
        gateways=len(admitted),
        machines=machines,
        directory_ends=list(directory_ends_for(actor, at)) if administers and "directory_ends" in waits else [],
        sponsored=list(sponsoring.waiting(actor, at)[:_SPONSORED]) if "sponsored" in waits else [],
        more=extension_rows.waiting_leaf(actor, leaf(decidable_extensions(actor), "more")) if "more" in waits else None,
        missing=_missing(actor, gateways, machines, administers=administers) if staff else "",
    )


def _placed(rows: Iterable[MachineSight]) -> list[tuple[MachineSight, Place]]:
    return [(row, whereabouts.place_of(row.machine, row.sight, owned=False)) for row in rows]


def _kinds(actor: Person, at: datetime) -> frozenset[str]:
    lists: dict[str, QuerySet[Any]] = {
        "held": remote_sessions.held_for(actor, at),
        "emergencies": emergency_queries.reviews(actor).unsigned(),
        "directory_ends": directory_ends_for(actor, at),
        "more": decidable_extensions(actor),
        "sponsored": sponsoring.waiting(actor, at),
    }
    return which_wait(actor, lists)


def _missing(actor: Person, gateways: list[Gateway], machines: int, *, administers: bool) -> str:
    """On the way from nothing to somebody who reaches a machine; nobody is asked for more once there are some. A
    provider may have nothing of its own: its people work at their customers'.
    """
    if not gateways and not machines and actor.has_customers and not estate.plants(actor).exists():
        return "customers"
    if not administers:
        return ""
    if not gateways:
        return "gateway" if estate.plants(actor).exists() else "plant"
    if not machines:
        return "machine"
    return "rule" if machines < _SEVERAL and not access.rules(actor).exists() else ""
