# SPDX-License-Identifier: Apache-2.0
"""What proves one session, gathered for whoever sees it: events with their proofs, the gateway's signed words, facts.

Where devices are is the owner's to know: who works for a supplier gets the events that say it as hashes, and
no personal values about other people.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any

import msgspec
from django.db import transaction

from portineria.control.access.firm import firm_under
from portineria.control.access.profiles import profiles_of
from portineria.control.audit import exporting
from portineria.control.audit import queries as audit
from portineria.control.audit.models import Event
from portineria.control.audit.services import record
from portineria.control.identity import register
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries
from portineria.control.remote_sessions.models import GatewayReport, Session
from portineria.control.remote_sessions.scope import proof_levels
from portineria.core.errors import Conflict
from portineria.ledger import evidence as e

MOST_EVENTS = 2000
_PLACES = ("stream.opened", "stream.refused")  # say addresses
_LEADING = timedelta(hours=1)  # before the request was made: clocks are set


class SessionStillOpen(Conflict):
    code = "evidence.session-open"


@dataclass(slots=True)
class Gathered:
    session: Session
    members: dict[str, bytes] = field(default_factory=dict)


def gather(*, actor: Person, session: str) -> Gathered:
    """An event before it is anything else. Raise NotFound, SessionStillOpen, BrokenChain."""
    row = queries.session(actor, session)
    if row.open:
        raise SessionStillOpen(f"session {session} has not ended")
    organisation = row.organisation.public_id
    with transaction.atomic():
        record(
            "remote_sessions.evidence.taken", organisation=organisation, actor=actor.public_id,
            about=row.person.public_id, session=row.public_id, machine=row.machine.public_id,
            gateway=row.gateway.public_id, person=row.person.public_id,
        )  # fmt: skip
    register.seal_to_the_end(organisation)
    staff = row.organisation_id in actor.staff_of
    events, left_out = _chosen([*audit.of_permission(organisation, _permission(row)), *_own(row)])
    withheld = {event.pk for event in events if not staff and event.code in _PLACES}
    found = Gathered(row)
    found.members[e.FACTS] = _facts(row, left_out)
    proofs = exporting.prove_many(
        register.header_of(organisation), events, withheld, own="" if staff else row.person.public_id
    )
    found.members[e.REGISTER] = proofs
    found.members[e.GATEWAY] = _said([event for event in events if event.pk not in withheld])
    if staff:
        found.members[e.ORDER] = bytes(row.order)
    return found


def _own(row: Session) -> Iterable[Event]:
    return audit.of_session(row.organisation.public_id, row.public_id).prefetch_related("personal_values")


def _permission(row: Session) -> audit.Permission:
    grant = row.grant
    names = (grant.request.public_id, grant.public_id)
    profiles = frozenset((profile.name, profile.version) for profile in profiles_of(grant))
    return audit.Permission(
        row.machine.public_id, frozenset(names), grant.rule.public_id, profiles, grant.request.made_at - _LEADING
    )


def _chosen(found: list[Event]) -> tuple[list[Event], int]:
    """In the order of the register; where there are too many, connections that came and went are left out first."""
    events = sorted({event.pk: event for event in found}.values(), key=lambda event: event.seq)
    kept = events if len(events) <= MOST_EVENTS else [one for one in events if not one.code.startswith("stream.")]
    kept = kept[-MOST_EVENTS:]
    return kept, len(events) - len(kept)


def _said(events: list[Event]) -> bytes:
    rows = GatewayReport.objects.filter(event__in=[event.pk for event in events]).order_by("event__seq")
    pairs = rows.values_list("event__seq", "signed")
    return b"".join(msgspec.json.encode(e.Said(seq, bytes(signed))) + b"\n" for seq, signed in pairs)


def _facts(row: Session, left_out: int) -> bytes:
    grant, rule, request = row.grant, row.grant.rule, row.grant.request
    firm = firm_under(rule, row.person, row.organisation_id)
    facts: dict[str, Any] = {
        "session": row.public_id, "organisation": row.organisation.name, "person": row.person.name,
        "supplier": firm.name if firm else "", "machine": row.machine.name,
        "live_at": row.live_at, "ended_at": row.ended_at, "ending": row.ending,
        "request": {"request": request.public_id, "reason": request.reason, "made_at": request.made_at},
        "approvals": [
            {"by": one.decided_by.name, "at": one.decided_at, "approved": one.approved, "reason": one.reason,
             "level": one.level, "of_levels": one.of_levels}
            for one in request.approvals.select_related("decided_by").order_by("pk")
        ],
        "rule": {"rule": rule.public_id, "needs_approval": rule.needs_approval},
        "profiles": [
            {"name": one.name, "version": one.version, "sha256": sha256(bytes(one.content)).hexdigest()}
            for one in profiles_of(grant)
        ],
        "services": [{"service": service, "proof_level": level} for service, level in proof_levels(row)],
        "gateway": row.gateway.public_id, "gateway_key": bytes(row.gateway.event_key),
        "recordings": [
            {"recording": one.public_id, "chunks": one.chunks, "head": bytes(one.head)}
            for one in row.recordings.filter(chunks__gte=1).order_by("pk")
        ],
        "left_out": left_out,
    }  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(facts)) + b"\n"
