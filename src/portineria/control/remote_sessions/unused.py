# SPDX-License-Identifier: Apache-2.0
"""Which unused memberships are closed now. Whoever is inside is using theirs, and whoever has an emergency role keeps
it for the day on which nobody can ask: that they do not come is shown, and ends nothing.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from portineria.control.access.models import Rule
from portineria.control.identity import unused
from portineria.control.identity.models import Membership
from portineria.control.identity.services import LastAdministrator
from portineria.control.remote_sessions.models import Session


def spared(rows: Iterable[Membership]) -> frozenset[int]:
    """Keys of those that stay open however long they are not used."""
    found = list(rows)
    held = Rule.objects.emergency().holding().filter(person__in=[row.person_id for row in found])
    holders = set(held.values_list("person", "organisation"))
    return frozenset(row.pk for row in found if (row.person_id, row.organisation_id) in holders)


def close_unused_memberships(at: datetime) -> int:
    """Return how many. Two at once close nobody twice."""
    closed, rows = 0, unused.idle(at)
    kept = spared(rows)
    for row in rows:
        theirs = Q(person=row.person_id) | Q(person__answered_by=row.person_id)
        inside = Session.objects.open().filter(theirs, organisation=row.organisation_id)
        if row.pk in kept or inside.exists():
            continue
        try:
            closed += unused.close_unused(row.pk, at)
        except LastAdministrator:
            continue  # nobody else could let anybody in again
    return closed
