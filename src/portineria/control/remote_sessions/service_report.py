# SPDX-License-Identifier: Apache-2.0
"""The service report of a session: what people remark, and that both sides stand by one and the same text."""

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import transaction
from django.utils import timezone

from portineria.control.access.models import Approval
from portineria.control.audit.services import record
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries
from portineria.control.remote_sessions.models import Recording, ReportSide, ReportSignature, ServiceReport, Session
from portineria.control.remote_sessions.work import Work, work_in
from portineria.core.errors import Conflict, Denied

REMARKS_CHARACTERS = 4000


class ReportTooEarly(Conflict):
    code = "report.session-open"


class ReportChanged(Conflict):
    """Somebody changed the text since it was read."""

    code = "report.changed"


class NoSide(Denied):
    """Sees it, and is neither who worked nor somebody of the owner's who approves."""

    code = "report.no-side"


class AlreadySigned(Conflict):
    code = "report.signed"


@dataclass(frozen=True, slots=True)
class Signature:
    """``holds``: it is of the text as it is now. The gateway's summary may have come later than a signature."""

    side: str
    name: str
    at: datetime
    holds: bool


@dataclass(frozen=True, slots=True)
class State:
    """``text``: canonical JSON of all that is signed; its hash is what events name. ``side``: the actor's, if any."""

    technician_remarks: str
    owner_remarks: str
    signatures: list[Signature]
    text: bytes
    side: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()

    @property
    def may_sign(self) -> bool:
        return bool(self.side) and not any(one.side == self.side and one.holds for one in self.signatures)

    @property
    def own_remarks(self) -> str:
        return self.technician_remarks if self.side == ReportSide.TECHNICIAN else self.owner_remarks


@dataclass(frozen=True, slots=True)
class Told:
    """What the register and the permission say of one session: asked once for its text and its page."""

    work: Work
    first: list[tuple[str, str]]
    approvals: list[Approval]  # with ``decided_by``
    recordings: list[Recording]


def told_of(actor: Person, row: Session) -> Told:
    """``row`` comes from ``queries``."""
    work, approvals = work_in(row), row.grant.request.approvals.order_by("pk").select_related("decided_by")
    # What was new is told with the work: where nothing was, there is nothing to ask.
    first = queries.first_work(actor, row.public_id) if work != Work() else []
    return Told(work, first, list(approvals), list(row.recordings.order_by("pk")))


def state_of(actor: Person, session: str) -> State:
    """Raise NotFound."""
    row = queries.reported(actor, session)
    return state_in(actor, row, told_of(actor, row))


def state_in(actor: Person, row: Session, told: Told) -> State:
    """``row`` comes from ``queries.reported``."""
    return _state(actor, row, getattr(row, "service_report", None) or ServiceReport(session=row), told)


def _state(actor: Person, row: Session, report: ServiceReport, told: Told) -> State:
    text = _text(row, report, told)
    digest = hashlib.sha256(text).digest()
    found = report.signatures.filter(withdrawn_at=None).select_related("person").order_by("pk") if report.pk else ()
    signatures = [
        Signature(one.side, one.person.name, one.signed_at, bytes(one.text_sha256) == digest) for one in found
    ]
    return State(report.technician_remarks, report.owner_remarks, signatures, text, side_of(actor, row))


def side_of(actor: Person, row: Session) -> str:
    if row.person_id == actor.pk:
        return ReportSide.TECHNICIAN
    role = actor.role_in(row.organisation_id)
    return ReportSide.OWNER if role is not None and role.approves else ""


def _text(row: Session, report: ServiceReport, told: Told) -> bytes:
    """The same bytes for every reader: no names of places, no language."""
    work = asdict(told.work)
    if not work["left_out"]:  # so that texts that were signed before it was told stay as they were
        del work["left_out"]
    content: dict[str, Any] = {
        "session": row.public_id, "person": row.person.public_id, "machine": row.machine.public_id,
        "reason": row.grant.request.reason, "live_at": row.live_at, "ended_at": row.ended_at, "ending": row.ending,
        "approvals": [[one.decided_by.public_id, one.approved, one.decided_at, one.reason] for one in told.approvals],
        "work": work, "new": told.first,
        "recordings": [[one.public_id, one.chunks, bytes(one.head)] for one in told.recordings],
        "technician_remarks": report.technician_remarks, "owner_remarks": report.owner_remarks,
    }  # fmt: skip
    return msgspec.json.encode(content, order="sorted")


@transaction.atomic
def remark(*, actor: Person, session: str, remarks: str, text_sha256: str) -> None:
    """Of the actor's side. What was signed of the text before is signed no more.

    ``text_sha256``: of the text that the actor saw. Raise NotFound, NoSide, ReportTooEarly, ReportChanged.
    """
    row, report, state = _locked(actor, session, text_sha256)
    if remarks == state.own_remarks:
        return
    if state.side == ReportSide.TECHNICIAN:
        report.technician_remarks = remarks
    else:
        report.owner_remarks = remarks
    report.save(update_fields=["technician_remarks", "owner_remarks"])
    _record("changed", actor, row, side=state.side)
    for one in report.signatures.filter(withdrawn_at=None).order_by("pk"):
        one.withdrawn_at = timezone.now()
        one.save(update_fields=["withdrawn_at"])
        _record("withdrawn", actor, row, side=one.side, text_sha256=bytes(one.text_sha256).hex())


@transaction.atomic
def sign(*, actor: Person, session: str, text_sha256: str) -> None:
    """By the actor's side, of exactly the text that was seen. Raise as ``remark``, and AlreadySigned."""
    row, report, state = _locked(actor, session, text_sha256)
    if not state.may_sign:
        raise AlreadySigned(f"the {state.side} of {session} has signed")
    # One that no longer holds: the gateway told more after it.
    report.signatures.filter(side=state.side, withdrawn_at=None).update(withdrawn_at=timezone.now())
    ReportSignature.objects.create(
        report=report, side=state.side, person=actor, worked_by=row.person, text_sha256=bytes.fromhex(state.sha256)
    )
    _record("signed", actor, row, side=state.side, text_sha256=state.sha256)


def _locked(actor: Person, session: str, text_sha256: str) -> tuple[Session, ServiceReport, State]:
    row = queries.session(actor, session)
    if not side_of(actor, row):
        raise NoSide(f"session {session}")
    if row.open:
        raise ReportTooEarly(f"session {session} has not ended")
    ServiceReport.objects.get_or_create(session=row)
    report = ServiceReport.objects.select_for_update(no_key=True).get(session=row)
    state = _state(actor, row, report, told_of(actor, row))
    if state.sha256 != text_sha256:
        raise ReportChanged(f"the report of {session} was changed meanwhile")
    return row, report, state


def _record(what: str, actor: Person, row: Session, **fields: str) -> None:
    record(
        f"remote_sessions.report.{what}", organisation=row.organisation.public_id, actor=actor.public_id,
        about=actor.public_id, session=row.public_id, machine=row.machine.public_id, gateway=row.gateway.public_id,
        person=row.person.public_id, **fields,
    )  # fmt: skip
