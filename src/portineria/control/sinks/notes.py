# SPDX-License-Identifier: Apache-2.0
"""Comments on tickets that wait to be made."""

from django.db import transaction
from django.utils import timezone

from portineria.control.audit import services as audit
from portineria.control.identity.authority import SYSTEM
from portineria.control.sinks.models import TicketNote


def waiting(most: int) -> list[TicketNote]:
    """The oldest first; not of systems that are paused."""
    rows = TicketNote.objects.filter(over_at__isnull=True, sink__paused_at__isnull=True)
    return list(rows.select_related("sink__organisation").order_by("pk")[:most])


def done(note: TicketNote) -> None:
    _over(note, "sinks.ticket.told")


def give_up(note: TicketNote, why: str) -> None:
    """The ticket takes no comment, and never will."""
    _over(note, "sinks.ticket.refused", why=why)


@transaction.atomic
def _over(note: TicketNote, code: str, **fields: str) -> None:
    if not TicketNote.objects.filter(pk=note.pk, over_at__isnull=True).update(over_at=timezone.now()):
        return
    sink = note.sink
    audit.record(code, organisation=sink.organisation.public_id, actor=SYSTEM, about="", sink=sink.public_id,
                 session=note.session, reference=note.ticket, **fields)  # fmt: skip
