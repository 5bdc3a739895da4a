# SPDX-License-Identifier: Apache-2.0
"""Letting a session stand still, and go on: ordered at once, said only on the gateway's signed receipt."""

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.estate.signers import signed_for
from portineria.control.identity.authority import require, works_here
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import letters, outgoing
from portineria.control.remote_sessions.models import Session, SessionEnded, SessionState
from portineria.control.remote_sessions.services import visible_session
from portineria.wire.statement import Freeze


@transaction.atomic
def freeze(*, actor: Person, session: str, reason: str) -> Session:
    """By the owner's people. It has no end of its own: only ``thaw`` and the end of the session do."""
    return _say(actor, session, reason, stands=True)


@transaction.atomic
def thaw(*, actor: Person, session: str, reason: str = "") -> Session:
    """What waited is passed on, unless its connection was closed meanwhile."""
    return _say(actor, session, reason, stands=False)


def _say(actor: Person, session: str, reason: str, *, stands: bool) -> Session:
    """Raise NotFound, Denied, SessionEnded. Saying it again changes nothing."""
    row = visible_session(actor, session)
    require(actor, row.organisation_id, works_here, Power.CUT)
    if row.state in (SessionState.CUTTING, SessionState.ENDED):
        raise SessionEnded(f"session {session} is {row.state}")
    if row.frozen == stands:
        return row
    row.freeze_number, row.frozen = row.freeze_number + 1, stands
    row.freeze_proven_at = row.freeze_latency_ms = None
    letter = Freeze(row.gateway.public_id, row.public_id, row.freeze_number, stands)
    row.freeze_letter = signed_for(row.gateway, letter)
    row.save()
    record(
        "remote_sessions.session.freezing" if stands else "remote_sessions.session.thawing",
        organisation=row.organisation.public_id,
        actor=actor.public_id,
        about=actor.public_id,
        session=row.public_id,
        machine=row.machine.public_id,
        gateway=row.gateway.public_id,
        person=row.person.public_id,
        grant=row.grant.public_id,
        number=row.freeze_number,
        reason=reason,
    )
    outgoing.after_commit(*letters.standing_messages(row))
    return row
