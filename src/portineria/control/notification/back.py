# SPDX-License-Identifier: Apache-2.0
"""Whoever was away when a request came is told of it once they are back, if it still waits."""

from datetime import datetime, timedelta

from portineria.control.access.approver_hours import ApproverHours
from portineria.control.access.deciding import deciders
from portineria.control.access.hours import with_hours_here
from portineria.control.access.models import AccessRequest, RequestState
from portineria.control.notification.collecting import tell_people
from portineria.control.notification.models import Kind, Notification
from portineria.control.notification.recipients import Meant

IN_YOUR_HOURS = "request.in-your-hours"
_FRESH = timedelta(minutes=1)  # until then its own event tells whoever is there


def collect_back(at: datetime, *, mail: bool) -> int:
    """Each of them once for each request, and nobody whom something told of it already. Return how many."""
    said = ApproverHours.objects.values("organisation")
    waiting = AccessRequest.objects.filter(state=RequestState.PENDING, organisation__in=said)
    old = waiting.filter(made_at__lt=at - _FRESH).select_related("organisation", "rule__profile", "person")
    rows = list(old.order_by("pk"))
    if not rows:
        return 0
    here = with_hours_here((row.organisation_id for row in rows), at)
    heard = Notification.objects.filter(kind=Kind.WAITS, thing__in=[row.public_id for row in rows])
    told = set(heard.values_list("thing", "person"))
    made = 0
    for row in rows:
        new = {person for person in here[row.organisation_id] if (row.public_id, person) not in told}
        asked = deciders(row, at) if new else []
        meant = [Meant(person, Kind.WAITS, row.public_id) for person in asked if person in new]
        if meant:
            made += tell_people(
                row.organisation, meant, key=f"{row.public_id}.hours", code=IN_YOUR_HOURS, by=row.person.public_id,
                at=at, mail=mail,
            )  # fmt: skip
    return made
