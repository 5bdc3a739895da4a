# SPDX-License-Identifier: Apache-2.0
"""Whether machines behind a gateway may be opened at its own console while no line leads there. Off by default."""

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.estate.models import Gateway
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Person
from portineria.core.errors import Conflict, NotFound


class NoEmergencies(Conflict):
    """The gateway is of a version that knows of no such thing, or was never heard."""

    code = "gateway.no-emergencies"


@transaction.atomic
def set_emergency(*, actor: Person, gateway: str, allowed: bool) -> Gateway:
    """By the owners. The gateway goes by it from when it hears of it; the same again changes nothing."""
    rows = Gateway.objects.visible_to(actor).select_for_update(of=("self",), no_key=True)
    row = rows.select_related("plant__organisation").filter(public_id=gateway).first()
    if row is None:
        raise NotFound(f"gateway {gateway}")
    require(actor, row.plant.organisation_id, administers)
    if allowed and row.emergency_kept is None:
        raise NoEmergencies(f"gateway {gateway} knows of no emergencies")
    if row.emergency is not allowed:
        row.emergency = allowed
        row.save(update_fields=["emergency"])
        record(
            f"estate.gateway.emergency-{'allowed' if allowed else 'ended'}",
            organisation=row.plant.organisation.public_id,
            actor=actor.public_id,
            gateway=gateway,
        )
    return row
