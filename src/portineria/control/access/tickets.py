# SPDX-License-Identifier: Apache-2.0
"""Tickets that requests refer to: who keeps which, and what was said of them last. Asking is control/ticketing.py."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from portineria.control.access.closing import record_request
from portineria.control.access.firm import firm_under
from portineria.control.access.models import (
    TICKET_UNASKED,
    AccessRequest,
    Grant,
    RequestQuerySet,
    RequestState,
)
from portineria.control.identity.authority import SYSTEM
from portineria.control.identity.models import Organisation
from portineria.control.sinks.models import Sink
from portineria.core.errors import Invalid
from portineria.sinks.catalogue import ALL
from portineria.sinks.ticket import Covered, Standing, is_number

AGAIN = timedelta(minutes=1)  # a ticket that was closed ends the work that it covered about so much later
_KINDS = [kind.name for kind in ALL if kind.tickets is not None]


class NobodyKeeps(Invalid):
    """Of the systems that keep this organisation's tickets none has numbers like this one."""

    code = "access.request.ticket-number"


def system_of(organisation: Organisation, reference: str, *, needed: bool) -> str:
    """Id of the system that keeps this ticket; empty where nobody does, which is no matter unless one is needed and
    the organisation has such systems. Of two prefixes that fit the longer counts. Raise NobodyKeeps.
    """
    kept = Sink.objects.filter(organisation=organisation, kind__in=_KINDS) if reference else Sink.objects.none()
    systems = [(row.settings.get("prefix", ""), row.public_id) for row in kept.order_by("pk")]
    fitting = [(len(prefix), system) for prefix, system in systems if reference.startswith(prefix)]
    if fitting and is_number(reference):
        return max(fitting)[1]
    if needed and systems:
        raise NobodyKeeps(f"nobody keeps a ticket {reference!r}")
    return ""


def any_kept() -> bool:
    """Whether there is anything to do for whoever asks: systems that keep tickets, or requests that wait for one."""
    return (
        Sink.objects.filter(kind__in=_KINDS).exists()
        or AccessRequest.objects.filter(ticket_standing=TICKET_UNASKED).exists()
    )


def to_ask(at: datetime, most: int) -> list[AccessRequest]:
    """Of requests that wait and of grants that may still be used; those asked longest ago first."""
    usable = Grant.objects.filter(request=OuterRef("pk"), revoked_at__isnull=True, ends_at__gt=at)
    asked = Sink.objects.filter(paused_at__isnull=True, kind__in=_KINDS).values("public_id")
    rows = AccessRequest.objects.filter(
        Q(ticket_system__in=asked),
        Q(state=RequestState.PENDING) | Exists(usable),
        Q(ticket_asked_at__isnull=True) | Q(ticket_asked_at__lte=at - AGAIN),
    )
    rows = rows.select_related("machine", "rule__supplier", "person")
    return list(rows.order_by(F("ticket_asked_at").asc(nulls_first=True), "pk")[:most])


def covered(request: AccessRequest) -> Covered:
    """What its ticket has to be about. The request comes with ``machine``, ``person`` and ``rule__supplier`` loaded."""
    machine, supplier = request.machine, firm_under(request.rule, request.person, request.organisation_id)
    return Covered((machine.name, machine.tag, machine.public_id), supplier.name if supplier else "")


@transaction.atomic
def note(request: int, standing: Standing, state: str, at: datetime) -> None:
    """What its system said just now. Only what changed goes to the register."""
    rows: RequestQuerySet = AccessRequest.objects.select_for_update(of=("self",), no_key=True)
    row = rows.select_related("organisation", "machine", "person").get(pk=request)
    changed = row.ticket_standing != standing
    row.ticket_standing, row.ticket_state, row.ticket_asked_at = standing.value, state, at
    row.save(update_fields=["ticket_standing", "ticket_state", "ticket_asked_at"])
    if changed:
        record_request("ticket", row, SYSTEM, system=row.ticket_system, standing=standing.value, ticket_state=state,
                       reference=row.reference)  # fmt: skip


def forget_removed() -> None:
    """Where a system was removed before it said anything, nobody ever will: the number alone counts, as before. What
    it did say stays as it was.
    """
    waiting = AccessRequest.objects.filter(ticket_standing=TICKET_UNASKED)
    gone = waiting.exclude(ticket_system__in=Sink.objects.values("public_id"))
    gone.update(ticket_system="", ticket_standing="")
