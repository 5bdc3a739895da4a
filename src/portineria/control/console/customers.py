# SPDX-License-Identifier: Apache-2.0
"""Across a provider's customers: of each as much as it delegated, counted by the same queries as inside it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.utils import timezone

from portineria.control.access import queries as access
from portineria.control.console import queries
from portineria.control.console.texts.powers import POWERS
from portineria.control.estate import queries as estate
from portineria.control.estate.models import GatewayState
from portineria.control.identity.delegation_models import Delegation
from portineria.control.identity.inside import across, customers, own
from portineria.control.identity.models import Person, Role
from portineria.control.remote_sessions import queries as remote_sessions


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """None: that was not delegated."""

    delegation: Delegation
    may_enter: bool
    waiting: int | None
    inside: int | None
    locks: int | None
    gateways: int | None
    away: int
    incident: bool
    declares: bool  # may declare an incident
    ends: bool  # may give it back

    @property
    def powers(self) -> list[str]:
        return [str(POWERS[power]) for power in self.delegation.powers]


def overview(actor: Person) -> list[CustomerRow]:
    """A handful of queries, however many customers there are."""
    them, at = own(actor), timezone.now()
    everywhere = across(them)
    waiting = _counted(access.pending_requests(everywhere))
    inside = _counted(remote_sessions.open_sessions(everywhere))
    locks = _counted(access.locks(everywhere).holding())
    gateways, away = _gateways(everywhere)
    return [
        CustomerRow(
            delegation=row,
            may_enter=row.organisation_id not in them.member_of,
            waiting=waiting.get(row.organisation_id, 0) if row.work else None,
            inside=inside.get(row.organisation_id, 0) if row.work else None,
            locks=locks.get(row.organisation_id, 0) if row.lock else None,
            gateways=gateways.get(row.organisation_id, 0) if row.estate else None,
            away=away.get(row.organisation_id, 0),
            incident=row.incident_at(at),
            declares=_declares(them, row, at),
            ends=them.role_in(row.provider_id) is Role.ADMINISTRATOR,
        )
        for row in customers(them)
    ]


def _declares(them: Person, row: Delegation, at: datetime) -> bool:
    role = them.role_in(row.provider_id)
    granted = row.incident_hours > 0 and row.withdrawn_at is None and not row.incident_at(at)
    return granted and role is not None and role.approves


def _counted(rows: "QuerySet[Any]") -> dict[int, int]:
    found = rows.select_related(None).prefetch_related(None).order_by().values("organisation")
    return {row["organisation"]: row["count"] for row in found.annotate(count=Count("pk"))}


def _gateways(everywhere: Person) -> tuple[dict[int, int], dict[int, int]]:
    """How many there are, and how many of them are away."""
    there: dict[int, int] = {}
    away: dict[int, int] = {}
    for row in estate.gateways(everywhere).filter(state__in=(GatewayState.ADMITTED, GatewayState.QUARANTINED)):
        owner = row.plant.organisation_id
        there[owner] = there.get(owner, 0) + 1
        if queries.shown_gateway_state(row) != "connected":
            away[owner] = away.get(owner, 0) + 1
    return there, away


def named(delegations: Iterable[Delegation]) -> list[tuple[Delegation, list[str]]]:
    return [(row, [str(POWERS[power]) for power in row.powers]) for row in delegations]
