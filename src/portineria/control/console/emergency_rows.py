# SPDX-License-Identifier: Apache-2.0
"""Emergencies as pages list them: what waits for a signature, and for whom."""

from collections.abc import Iterable
from dataclasses import dataclass

from portineria.control.access import emergency_queries
from portineria.control.access.models import EmergencyReview
from portineria.control.identity.models import Person, Supplier

_MOST = 50  # on one page; those that wait longest come first


@dataclass(frozen=True, slots=True)
class ReviewRow:
    review: EmergencyReview
    may_sign: bool
    zone: str  # of the plant; empty for the reader's own
    supplier: Supplier | None  # of whoever opened it, for staff: how it is judged its own people do not see


def unsigned(actor: Person) -> list[ReviewRow]:
    return _rows(actor, emergency_queries.reviews(actor).unsigned()[:_MOST])


def signed(actor: Person) -> list[ReviewRow]:
    newest = emergency_queries.reviews(actor).filter(signed_at__isnull=False)
    return _rows(actor, newest.order_by("-signed_at", "-pk")[:_MOST])


def _rows(actor: Person, reviews: Iterable[EmergencyReview]) -> list[ReviewRow]:
    return [row_of(actor, row) for row in reviews]


def row_of(actor: Person, row: EmergencyReview) -> ReviewRow:
    supplier = row.supplier if row.organisation_id in actor.staff_of else None
    return ReviewRow(row, emergency_queries.may_sign(actor, row), _zone(row), supplier)


def _zone(row: EmergencyReview) -> str:
    plant = row.machine.plant if row.machine else row.gateway.plant if row.gateway else None
    return plant.time_zone if plant else ""
