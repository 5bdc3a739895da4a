# SPDX-License-Identifier: Apache-2.0
"""Opening, extending and ending sessions. State lies in the database; letters follow from it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from portineria.control.access.models import Grant
from portineria.control.access.only_services import named_by_both
from portineria.control.access.profiles import profiles_of, services_under
from portineria.control.audit.services import record
from portineria.control.estate.models import Gateway, GatewayState, Link, Service
from portineria.control.estate.queries import services_of
from portineria.control.identity.authority import SYSTEM, require, works_here
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.identity.service_accounts import answering
from portineria.control.remote_sessions import letters, outgoing
from portineria.control.remote_sessions.models import Session, SessionEnded, SessionState
from portineria.control.remote_sessions.opening import NOTHING, Shown, opening
from portineria.control.remote_sessions.queries import links_of
from portineria.control.remote_sessions.refusals import GatewayAway, NotPermitted, TooManySessions
from portineria.control.remote_sessions.scope import altered, cannot_enforce, other_functions, require_inspected
from portineria.control.remote_sessions.session_key import begun_with, key_sha256
from portineria.control.remote_sessions.stays import judged_now
from portineria.core.errors import NotFound, PortineriaError
from portineria.policy.decision import Decision
from portineria.policy.ending import Ending, Reason
from portineria.wire.statement import Ending as WireEnding

log = structlog.get_logger()
SESSIONS_PER_GRANT = 8  # a few computers at once; each costs the gateway a ready leg
_OVERDUE = timedelta(seconds=10)  # a drain that is over and not reported is cut
_WITH_FACTS = (
    "gateway",
    "grant__rule__profile",
    "grant__profile",
    "grant__narrower",
    "grant__machine__plant",
    "grant__machine__gateway",
)
_PATIENCE = timedelta(hours=1)  # with the receipt of a gateway that is away
# The order says until when.
_BY_ITSELF = frozenset({Reason.EXPIRED, Reason.OUTSIDE_WINDOWS, Reason.MAINTENANCE, Reason.BETWEEN_TIMES})


@dataclass(frozen=True, slots=True)
class Opened:
    """What a connector needs to start."""

    session: Session
    links: list[Link]
    tickets: list[bytes]
    services: list[Service]


@transaction.atomic
def start_session(*, actor: Person, machine: str, key: bytes, address: str, shown: Shown = NOTHING) -> Opened:
    """Order a session for the holder of ``key`` (P-256, DER SubjectPublicKeyInfo).

    Asked again with the same key, because the answer was lost on its way, it is the same session. Raise NotFound,
    NotPermitted, GatewayAway, TooManySessions, KeyUsed, BadField.
    """
    now = timezone.now()
    there, locked, judged, device = opening(actor, machine, now, shown, key)
    links = links_of(there.gateway)
    if not links:
        raise GatewayAway(f"gateway {there.gateway.public_id} has no link")
    digest, services = key_sha256(key), services_under(locked, services_of(there))
    if (begun := begun_with(digest, actor, there)) is not None:
        return Opened(begun, links, letters.tickets(begun, links, now), services)
    if locked.sessions.open().count() >= SESSIONS_PER_GRANT:
        raise TooManySessions(f"grant {locked.public_id} carries {SESSIONS_PER_GRANT} sessions")
    session = Session(
        organisation=locked.organisation,
        grant=locked,
        person=actor,
        machine=there,
        gateway=there.gateway,
        company_device=device,
        key=key,
        key_sha256=digest,
        expires_at=judged.ends or locked.ends_at,
        requested_at=now,
        order_seq=0,
    )
    if not services:
        raise NotPermitted((Reason.NOTHING_TO_REACH,))
    require_inspected(session, services)
    letters.write_order(session, services, starts=now)
    begins = _begins(locked, now)
    session.save(force_insert=True)
    _record("requested", session, actor.public_id, address=address, **_order_fields(session))
    if begins:
        _record_begun(session, actor.public_id)
    outgoing.after_commit(*letters.standing_messages(session))
    return Opened(session, links, letters.tickets(session, links, now), services)


def _begins(locked: Grant, now: datetime) -> bool:
    if not locked.begin_work(now, locked.rule.max_minutes):
        return False
    locked.save(update_fields=["opened_at", "ends_at"])
    return True


def _record_begun(session: Session, actor: str) -> None:
    """The first session: the grant's time runs from now. Told of the grant, since later sessions go on under it."""
    record(
        "access.grant.begun", organisation=session.organisation.public_id, actor=actor, about=actor,
        grant=session.grant.public_id, machine=session.machine.public_id, person=session.person.public_id,
        ends_at=session.grant.ends_at.isoformat(timespec="seconds"),
    )  # fmt: skip


def _order_fields(session: Session) -> dict[str, str | int]:
    return {
        "order_seq": session.order_seq,
        "order_sha256": bytes(session.order_sha256).hex(),
        "ends_at": session.expires_at.isoformat(timespec="seconds"),
    }


def _record(what: str, session: Session, actor: str, **fields: Any) -> None:
    record(
        f"remote_sessions.session.{what}",
        organisation=session.organisation.public_id,
        actor=actor,
        about=actor,
        session=session.public_id,
        machine=session.machine.public_id,
        gateway=session.gateway.public_id,
        person=session.person.public_id,
        grant=session.grant.public_id,
        answered_by=answering(session.person),
        **fields,
    )


def locked_session(public_id: str) -> Session | None:
    rows = Session.objects.select_for_update(of=("self",), no_key=True).select_related(
        "organisation", "person", "gateway", "machine__plant__organisation", "machine__gateway", "grant__rule__profile",
        "grant__profile", "grant__narrower",
    )  # fmt: skip
    return rows.filter(public_id=public_id).first()


def visible_session(actor: Person, session: str) -> Session:
    visible = Session.objects.visible_to(actor).filter(public_id=session).exists()
    row = locked_session(session) if visible else None
    if row is None:
        raise NotFound(f"session {session}")
    return row


@transaction.atomic
def renew_tickets(*, actor: Person, session: str) -> tuple[Session, list[Link], list[bytes]]:
    """For the person whose session it is, while it is permitted or drains."""
    row = visible_session(actor, session)
    now = timezone.now()
    if row.person_id != actor.pk:
        raise NotFound(f"session {session}: of somebody else")
    if row.state in (SessionState.CUTTING, SessionState.ENDED):
        raise SessionEnded(f"session {session} is {row.state}")
    judged = judged_now([row], now)[row.pk]
    draining = row.state == SessionState.DRAINING and judged.ending is Ending.ADMINISTRATIVE
    if not judged.permitted and not draining:
        raise NotPermitted(judged.denials)
    links = links_of(row.gateway)
    if not links:
        raise GatewayAway(f"gateway {row.gateway.public_id} has no link")
    return row, links, letters.tickets(row, links, now)


# -- ending -----------------------------------------------------------------------------------------------------


def withdraw(
    session: Session, ending: WireEnding, *, ending_class: Ending, why: str, actor: str, reason: str = "",
    by: Person | None = None,
) -> None:  # fmt: skip
    """Order the end of a locked session. Repeating it is harmless; a cut overrides a drain, never the reverse."""
    if session.state in (SessionState.CUTTING, SessionState.ENDED):
        return
    if ending == "drain" and session.state == SessionState.DRAINING and session.withdrawal:
        return
    now = timezone.now()
    letters.write_withdrawal(session, ending, why)
    session.ending_class, session.end_why = ending_class.value, why[:120]
    session.end_reason, session.ended_by = reason[:500], by
    if ending == "cut":
        session.move(SessionState.CUTTING)
        session.cut_requested_at = now
    else:
        session.move(SessionState.DRAINING)
        session.drain_until = now + timedelta(seconds=session.machine.drain_s)
    session.save()
    extra = {"seconds": session.machine.drain_s} if ending == "drain" else {}
    _record(
        "cutting" if ending == "cut" else "draining",
        session,
        actor,
        why=why,
        ending=ending_class.value,
        reason=reason,
        **extra,
    )
    outgoing.after_commit(*letters.standing_messages(session))


@transaction.atomic
def cut(*, actor: Person, session: str, reason: str) -> Session:
    """By the owner's people, or by whoever works in it. It is *cut* only when the gateway has signed for it."""
    row = visible_session(actor, session)
    if row.person_id != actor.pk:
        require(actor, row.organisation_id, works_here, Power.CUT)
    if not row.open:
        raise SessionEnded(f"session {session} ended already")
    withdraw(
        row, "cut", ending_class=Ending.SECURITY, why="cut-by-person", actor=actor.public_id, reason=reason, by=actor
    )
    return row


@transaction.atomic
def drain(*, actor: Person, session: str, reason: str = "", why: str = "drained-by-person") -> Session:
    """Nothing new starts; what runs may finish within the machine's drain time."""
    row = visible_session(actor, session)
    if row.person_id != actor.pk:
        require(actor, row.organisation_id, works_here, Power.CUT)
    if not row.open:
        raise SessionEnded(f"session {session} ended already")
    withdraw(row, "drain", ending_class=Ending.ADMINISTRATIVE, why=why, actor=actor.public_id, reason=reason, by=actor)
    return row


def finish(*, actor: Person, session: str) -> Session:
    """The connector is done: the session closes as soon as its streams have."""
    return drain(actor=actor, session=session, why="finished")


# -- enforcement ------------------------------------------------------------------------------------------------


def enforce(at: datetime) -> int:
    """Bring every open session in line with what is permitted now. Return how many were changed.

    Runs each second and whenever something was revoked, disabled or narrowed. Decides outside the transaction, looks
    again inside it: the lock is held for the few sessions that change only.
    """
    rows = list(Session.objects.open().select_related(*_WITH_FACTS, "machine"))
    if not rows:
        return 0
    judged = judged_now(rows, at)
    moved = altered(rows) | other_functions(rows)
    changed = 0
    for row in rows:
        if _due(row, judged[row.pk], at, altered=row.pk in moved):
            try:
                changed += _enforce_one(row.public_id, at)
            except PortineriaError as error:  # the others are dealt with all the same
                log.error("session.not-enforced", session=row.public_id, code=error.code, why=str(error))
    return changed


def _beyond_proof(session: Session, at: datetime) -> bool:
    """The gateway's own clock ended it long ago, and it cannot say so, need not, or is away for a long time.

    One that comes back after all still hands its receipt in: that then counts.
    """
    over = session.expires_at + timedelta(seconds=session.machine.drain_s + session.machine.hold_s) + _OVERDUE
    if session.gateway.state != GatewayState.REVOKED and session.live_at is not None:
        over += _PATIENCE
    return session.state == SessionState.CUTTING and over <= at


def _drain_overdue(session: Session, at: datetime) -> bool:
    """Of a drain that was ordered, or came with the order's end. What the gateway began by itself it ends by itself."""
    until = session.drain_until
    ordered = session.state == SessionState.DRAINING and not session.drained_by_gateway
    return ordered and until is not None and until + _OVERDUE <= at


def _due(session: Session, judged: Decision, at: datetime, *, altered: bool) -> bool:
    if session.state == SessionState.CUTTING:
        return _beyond_proof(session, at)
    if _drain_overdue(session, at):
        return True
    # A gateway that drains by itself changes nothing about the permission: it goes on, or ends, as any other.
    runs = session.state in (SessionState.OPENING, SessionState.LIVE) or session.drained_by_gateway
    if judged.permitted and altered and runs:
        return True
    if judged.permitted:
        return not session.withdrawal and judged.ends != session.expires_at
    return runs or judged.ending is Ending.SECURITY


@transaction.atomic
def _enforce_one(public_id: str, at: datetime) -> int:
    session = locked_session(public_id)
    if session is None:
        return 0
    judged = judged_now([session], at)[session.pk]
    moved, functions = bool(altered([session])), bool(other_functions([session]))
    if not _due(session, judged, at, altered=moved or functions):
        return 0
    why = " ".join(reason.value for reason in judged.denials)
    if session.state == SessionState.CUTTING:
        _end_unproven(session, at)
    elif not judged.permitted and judged.ending is Ending.SECURITY:
        withdraw(session, "cut", ending_class=Ending.SECURITY, why=why, actor=SYSTEM)
    elif _drain_overdue(session, at):
        withdraw(session, "cut", ending_class=Ending.ADMINISTRATIVE, why="drain-overdue", actor=SYSTEM)
    elif judged.permitted and moved and not session.withdrawal:
        withdraw(session, "drain", ending_class=Ending.ADMINISTRATIVE, why="machine-changed", actor=SYSTEM)
    elif judged.permitted and functions and not session.withdrawal:
        _reorder_functions(session, judged, at)
    elif judged.permitted:
        _reissue(session, judged, at)
    elif _BY_ITSELF.issuperset(judged.denials) and session.expires_at <= at:
        _expire(session, why)
    else:
        withdraw(session, "drain", ending_class=Ending.ADMINISTRATIVE, why=why, actor=SYSTEM)
    return 1


def _expire(session: Session, why: str) -> None:
    """The order ended by itself at the gateway too: no withdrawal, so that an extension can still take effect."""
    session.move(SessionState.DRAINING)
    session.ending_class, session.end_why = Ending.ADMINISTRATIVE.value, why
    session.drain_until = session.expires_at + timedelta(seconds=session.machine.drain_s)
    session.save()
    _record(
        "draining",
        session,
        SYSTEM,
        seconds=session.machine.drain_s,
        why=why,
        ending=Ending.ADMINISTRATIVE.value,
    )


def _reorder_functions(session: Session, judged: Decision, at: datetime) -> None:
    """Another profile holds: a new order says so. Where that cannot be, what runs may not go on under the old one."""
    services = services_under(session.grant, services_of(session.machine))
    if not services or cannot_enforce(session, services):
        why = "not-inspectable" if named_by_both(session.grant, services_of(session.machine)) else "no-service-left"
        withdraw(session, "drain", ending_class=Ending.ADMINISTRATIVE, why=why, actor=SYSTEM)
        return
    _reissue(
        session, judged, at, what="functions-changed", profile=" ".join(row.name for row in profiles_of(session.grant))
    )


def _reissue(session: Session, judged: Decision, at: datetime, *, what: str = "extended", **fields: str) -> None:
    """The end moved, or the functions did: a new order with a higher number supersedes the old one."""
    session.expires_at = judged.ends or session.grant.ends_at
    letters.write_order(session, services_of(session.machine), starts=min(at, session.requested_at))
    if session.state == SessionState.DRAINING or what == "functions-changed":
        session.move(SessionState.OPENING)  # until the gateway says that it obeys this one
        session.ending_class, session.end_why, session.drain_until = "", "", None
    session.save()
    _record(what, session, SYSTEM, **_order_fields(session), **fields)
    outgoing.after_commit(*letters.standing_messages(session))


def _end_unproven(session: Session, at: datetime) -> None:
    """Whatever was ordered ended by the gateway's own clock long ago, and it will never be able to say so."""
    session.move(SessionState.ENDED)
    session.ending, session.ended_at = "unproven", at
    session.save()
    if session.gateway.state == GatewayState.REVOKED:
        why = "gateway-revoked"
    else:
        why = "never-accepted" if session.live_at is None else "gateway-silent"
    _record("unproven", session, SYSTEM, why=why)


def unanswered(gateway: Gateway | None = None) -> list[Session]:
    """Sessions about which the gateway still has to be told something."""
    waiting = [SessionState.OPENING, SessionState.DRAINING, SessionState.CUTTING]
    rows = Session.objects.select_related("gateway", "machine")
    rows = rows.filter(gateway=gateway) if gateway else rows
    told = [row for row in rows.filter(state__in=waiting) if row.withdrawal or row.state == "opening"]
    still = rows.filter(state__in=[SessionState.LIVE, SessionState.DRAINING], freeze_number__gt=0)
    return [*told, *(row for row in still.filter(freeze_proven_at=None) if row not in told)]
