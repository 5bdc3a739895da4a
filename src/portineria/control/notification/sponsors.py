# SPDX-License-Identifier: Apache-2.0
"""A supplier's person whose membership ends soon: whoever answers for them hears of it a month and a week before, and
may prolong it; they themselves a week before.
"""

from datetime import datetime, timedelta

from portineria.control.identity import sponsoring
from portineria.control.identity.models import Membership, Role
from portineria.control.notification.collecting import tell_people
from portineria.control.notification.models import Kind
from portineria.control.notification.recipients import Meant, in_roles

ENDS_SOON = "membership.ends-soon"
OWN_ENDS_SOON = "membership.own-ends-soon"
AHEAD = (timedelta(days=7), timedelta(days=30))
_ADMINISTER = [role for role in Role if role.administers]


def collect_stays(at: datetime, *, mail: bool) -> int:
    """Each once for a month and once for a week; not of what was agreed for less."""
    made = 0
    for row in sponsoring.ending_soon(at, AHEAD[-1]):
        if row.ends_at is None:
            continue
        ahead = next(one for one in AHEAD if row.ends_at - one <= at)
        if row.since > row.ends_at - ahead:
            continue
        key = f"{row.organisation.public_id}.{row.person.public_id}.{row.ends_at.date().isoformat()}.{ahead.days}"
        meant = [Meant(person, Kind.ROLE, row.person.public_id) for person in _answering(row)]
        made += tell_people(row.organisation, meant, key=key, code=ENDS_SOON, by="", at=at, mail=mail)
        if ahead == AHEAD[0]:
            own = [Meant(row.person_id, Kind.ROLE, row.organisation.public_id)]
            made += tell_people(row.organisation, own, key=key, code=OWN_ENDS_SOON, by="", at=at, mail=mail)
    return made


def _answering(row: Membership) -> list[int]:
    """Whoever administers, where nobody answers any more."""
    unanswered: bool = row.__dict__["unanswered"]  # by ``sponsoring.sponsored``
    if row.sponsor_id is None or unanswered:
        return in_roles(row.organisation_id, _ADMINISTER)
    return [row.sponsor_id]


def answered(organisation: int, person: str, at: datetime) -> bool:
    """It was prolonged meanwhile, or is over."""
    rows = sponsoring.ending_soon(at, AHEAD[-1])
    return not any(row.organisation_id == organisation and row.person.public_id == person for row in rows)
