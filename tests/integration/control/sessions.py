# SPDX-License-Identifier: Apache-2.0
"""What tests do with a session of the ``world``: start it, let its gateway report, look at it again."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from django.utils import timezone

from portineria.bus.message import Deliver, ToRelay
from portineria.control.access.models import Grant
from portineria.control.remote_sessions import letters, services
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.reports import receive
from portineria.wire.certificate import spki
from portineria.wire.statement import Leases, Order, Withdrawal
from tests.integration.control.world import World


def session_key() -> bytes:
    return spki(ec.generate_private_key(ec.SECP256R1()).public_key())


def started(world: World, minutes: int = 60) -> Session:
    grant = Grant.objects.filter(person=world.technician).first()
    if grant is None:
        world.grant(minutes)
    return services.start_session(
        actor=world.technician, machine="Press 3", key=session_key(), address="192.0.2.7"
    ).session


def said_to(world: World, session: Session) -> list[Order | Withdrawal]:
    """What the gateway would read now about this session."""
    messages: list[ToRelay] = letters.standing_messages(again(session))
    sealed = [letter for message in messages if isinstance(message, Deliver) for letter in message.sealed]
    return [letter for letter in world.gateway.read(sealed) if isinstance(letter, Order | Withdrawal)]


def again(session: Session) -> Session:
    return Session.objects.select_related("gateway", "machine", "organisation", "person").get(pk=session.pk)


def report(world: World, code: str, session: Session, /, **fields: str | int | bool) -> Session:
    receive(world.gateway.id, [world.gateway.say(code, session.public_id, **fields)])
    return again(session)


def accepted(world: World, session: Session) -> Session:
    return report(world, "order.accepted", session, order_seq=again(session).order_seq)


def leased(world: World, *sessions: Session) -> set[str]:
    answer = receive(world.gateway.id, [world.gateway.ask(*(session.public_id for session in sessions))])
    [found] = [letter for letter in answer.letters if isinstance(letter, Leases)]
    return {lease.session for lease in found.leases}


def soon(**later: float) -> datetime:
    return timezone.now() + timedelta(**later)


def ended_grant(session: Session) -> None:
    past = timezone.now() - timedelta(seconds=5)
    Grant.objects.filter(pk=session.grant_id).update(starts_at=past - timedelta(hours=1), ends_at=past)
    Session.objects.filter(pk=session.pk).update(requested_at=past - timedelta(minutes=50), expires_at=past)
