# SPDX-License-Identifier: Apache-2.0
"""How much waits for somebody: every page says it, by one query whose text is kept."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from portineria.control.access.answerable import how_many_wait, waiting_rows
from portineria.control.access.extending import decidable_extensions
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.kept_query import KeptValues
from portineria.control.remote_sessions.queries import held_for


def how_much_waits(person: Person) -> int:
    """Requests for access, held operations of sessions that run, and requests for more time."""
    at = timezone.now()
    if person.principal is not None:  # what an analyst sees depends on more than roles
        return how_many_wait(person, at, _rows(person, at))
    approving = [pk for pk in person.staff_of if (role := person.role_in(pk)) is not None and role.approves]
    working = [pk for pk in person.staff_of if pk not in approving]
    return how_many_wait(person, at, _ROWS.all(person.pk, approving, working, person.guest_of, at))


def _rows(person: Person, at: datetime) -> "QuerySet[Any, Any]":
    return waiting_rows(person, at, held_for(person, at), decidable_extensions(person, at))


def _somebody(pk: int, approving: Collection[int], working: Collection[int], guest_of: Collection[int]) -> Person:
    """In whose place whoever asks is put: of roles the query depends on nothing else."""
    roles = {Role.APPROVER: approving, Role.OPERATOR: working, Role.TECHNICIAN: guest_of}
    made = Person(pk=pk)
    made.__dict__["_memberships"] = [
        Membership(organisation_id=organisation, role=role) for role, there in roles.items() for organisation in there
    ]
    return made


_ROWS = KeptValues(lambda pk, approving, working, guest_of, at: _rows(_somebody(pk, approving, working, guest_of), at))
