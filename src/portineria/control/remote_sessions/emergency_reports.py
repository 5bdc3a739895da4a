# SPDX-License-Identifier: Apache-2.0
"""What was opened at the console of a gateway without us: once it is known here, somebody has to look at it."""

from datetime import datetime

from portineria.control.access.models import EmergencyReview
from portineria.control.estate.models import Gateway, Machine
from portineria.control.identity.models import Person
from portineria.control.remote_sessions.report_fields import text
from portineria.core.ids import Kind, is_id
from portineria.wire.report import Event


def note_opened(gateway: Gateway, event: Event, at: datetime) -> None:
    """Its row, once: what is said again is known."""
    if not is_id(event.session, Kind.SESSION):
        return
    owner = gateway.plant.organisation
    people = [_holder(gateway, text(event, name, 254)) for name in ("holder", "second")]
    first, second = sorted(people, key=lambda person: person is None)
    EmergencyReview.objects.get_or_create(
        gateway=gateway,
        opening=event.session,
        defaults={
            "organisation": owner,
            "machine": Machine.objects.filter(plant__organisation=owner, public_id=text(event, "machine", 24)).first(),
            "person": first,
            "second": second if second != first else None,
            "reason": text(event, "reason", 500) or "—",
            "opened_at": at,
        },
    )


def _holder(gateway: Gateway, address: str) -> Person | None:
    """As somebody set their PIN there: by the address of their account."""
    members = Person.objects.get_queryset().filter(memberships__organisation=gateway.plant.organisation_id)
    return members.filter(email=address.lower()).first() if address else None
