# SPDX-License-Identifier: Apache-2.0
"""Up to where a register is signed for, and whether that is as it should be."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from portineria.control.audit import queries as audit
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Person

# Nothing waits longer than 5 s; twice that, something keeps the sealer from it or there is something it refuses.
ALARM = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class SealingState:
    organisation: str
    name: str
    events: int
    sealed: int
    at: datetime | None  # of the newest checkpoint
    waiting_since: datetime | None  # when the first event that is not sealed was written

    @property
    def waiting(self) -> int:
        return max(0, self.events - self.sealed)

    @property
    def shrunk(self) -> bool:
        """Fewer events than were signed: a database that was put back, or cut."""
        return self.events < self.sealed

    @property
    def alarm(self) -> bool:
        late = self.waiting_since is not None and timezone.now() - self.waiting_since > ALARM
        return self.shrunk or late


def sealing_states(actor: Person) -> list[SealingState]:
    """Of the registers that this person reads."""
    found = audit.seals(actor)
    names = {row.public_id: row.name for row in identity.organisations(actor)} if len(found) > 1 else {}
    return [
        SealingState(row.organisation, names.get(row.organisation, ""), row.events, row.sealed, row.at, row.waiting)
        for row in found
    ]
