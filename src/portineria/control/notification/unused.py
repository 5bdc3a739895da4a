# SPDX-License-Identifier: Apache-2.0
"""Whoever does not use their account hears two weeks before it closes; of a program those who administer."""

from datetime import datetime

from django.db import transaction

from portineria.control.identity import unused
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.notification.collecting import tell_people
from portineria.control.notification.models import Kind
from portineria.control.notification.recipients import Meant, in_roles
from portineria.control.remote_sessions.unused import spared

CLOSES_SOON = "membership.closes-soon"
PROGRAM_CLOSES_SOON = "program.closes-soon"
_ADMINISTER = [role for role in Role if role.administers]


def collect_unused(at: datetime, *, mail: bool) -> int:
    rows = unused.idle(at, unused.AHEAD)
    kept = spared(rows)
    return sum(_warn(row.pk, at, mail=mail) for row in rows if row.pk not in kept)


@transaction.atomic
def _warn(membership: int, at: datetime, *, mail: bool) -> int:
    """Nothing closes of which nobody was told: both are kept, or neither."""
    row = unused.warn(membership, at)
    if row is None:
        return 0
    key = f"{row.organisation.public_id}.{row.person.public_id}.{int(at.timestamp())}"
    code = PROGRAM_CLOSES_SOON if unused.is_program(row) else CLOSES_SOON
    return tell_people(row.organisation, _meant(row), key=key, code=code, by="", at=at, mail=mail)


def _meant(row: Membership) -> list[Meant]:
    if not unused.is_program(row):
        return [Meant(row.person_id, Kind.ROLE, row.organisation.public_id)]
    people = {*in_roles(row.organisation_id, _ADMINISTER), row.person.answered_by_id}
    return [Meant(person, Kind.ROLE, row.person.public_id) for person in sorted(filter(None, people))]


def came_back(person: Person, at: datetime) -> bool:
    """Since the warning."""
    return person.used_at is not None and person.used_at > at
