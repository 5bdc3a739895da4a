# SPDX-License-Identifier: Apache-2.0
"""Answering for a request that a gateway holds: by whoever may approve, never by the person of the session."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from portineria.bus.message import ToRelay
from portineria.control.access.deciding import authority, same_person
from portineria.control.audit.services import record
from portineria.control.estate.models import Gateway
from portineria.control.estate.signers import signed_for
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import letters, outgoing
from portineria.control.remote_sessions.models import HeldOperation, HeldOver, Session, SessionState
from portineria.control.remote_sessions.queries import ARMED
from portineria.control.remote_sessions.services import locked_session
from portineria.core.errors import Denied, NotFound
from portineria.wire.statement import HoldAnswer


class OwnOperation(Denied):
    code = "held.own"


@transaction.atomic
def answer_held(*, actor: Person, held: str, allowed: bool, reason: str = "") -> HeldOperation:
    """Raise NotFound, OwnOperation, DeniedHere, HeldOver. The answer is signed, kept and sent; the first one counts."""
    seen = HeldOperation.objects.visible_to(actor).select_related("session").filter(public_id=held).first()
    session = locked_session(seen.session.public_id) if seen is not None else None
    if seen is None or session is None:
        raise NotFound(f"held operation {held}")
    if same_person(session.person, actor):
        raise OwnOperation("whoever works may not answer for it")
    now = timezone.now()
    authority(actor, session.organisation_id, now, asked_by=session.person)
    row = HeldOperation.objects.select_for_update(no_key=True).get(pk=seen.pk)
    if session.state in (SessionState.CUTTING, SessionState.ENDED):
        raise HeldOver(f"session {session.public_id} is {session.state}")
    row.decide(actor, now, allowed=allowed)
    row.answer = signed_for(session.gateway, _letter(row, session, now))
    row.save(update_fields=["allowed", "decided_by", "decided_at", "answer"])
    record(
        "remote_sessions.operation.allowed" if allowed else "remote_sessions.operation.denied",
        organisation=session.organisation.public_id,
        actor=actor.public_id,
        about=actor.public_id,
        session=session.public_id,
        machine=session.machine.public_id,
        gateway=session.gateway.public_id,
        person=session.person.public_id,
        grant=session.grant.public_id,
        held=row.public_id,
        question=bytes(row.question).hex(),
        request_sha256=bytes(row.request_sha256).hex(),
        reason=reason[:500],
    )
    outgoing.after_commit(letters.deliver(session.gateway, [row.answer]))
    return row


def _letter(row: HeldOperation, session: Session, at: datetime) -> HoldAnswer:
    return HoldAnswer(
        gateway=session.gateway.public_id,
        session=session.public_id,
        question=bytes(row.question),
        request_sha256=bytes(row.request_sha256),
        allowed=bool(row.allowed),
        not_after_ms=int((at + ARMED).timestamp() * 1000),
    )


def standing_answers(gateway: Gateway, at: datetime) -> list[ToRelay]:
    """Those that a gateway which comes back may not have heard, as long as they are worth something."""
    rows = HeldOperation.objects.filter(session__gateway=gateway, decided_at__gt=at - ARMED, outcome="")
    found = [bytes(row.answer) for row in rows.order_by("pk") if row.answer]
    return [letters.deliver(gateway, found)] if found else []
