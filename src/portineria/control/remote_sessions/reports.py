# SPDX-License-Identifier: Apache-2.0
"""What gateways report: events into the ledger, strictly in order, and what follows from them for sessions.

Nothing is acknowledged that is not committed. A relay may delay, drop, repeat: none of it changes what is stored.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from django.utils import timezone

from portineria.control.audit.models import Event as LedgerEvent
from portineria.control.audit.services import record
from portineria.control.estate import signers
from portineria.control.estate.enrolment import quarantine
from portineria.control.estate.models import Boot, Gateway
from portineria.control.estate.trust import additions_for
from portineria.control.identity import keys
from portineria.control.identity.authority import SYSTEM
from portineria.control.kept_query import KeptRows
from portineria.control.remote_sessions import restored
from portineria.control.remote_sessions.checkpoints import checkpoints_for
from portineria.control.remote_sessions.emergency_terms import answer_terms
from portineria.control.remote_sessions.late_chain import newest_of, took_turns
from portineria.control.remote_sessions.models import AskedQuestion, GatewayReport, Session, SessionState
from portineria.control.remote_sessions.queries import happened_at
from portineria.control.remote_sessions.receipts import apply
from portineria.control.remote_sessions.stays import judged_now
from portineria.control.remote_sessions.traffic import note_traffic
from portineria.control.settings.start import current
from portineria.core.errors import NotFound, PortineriaError, ProtocolError
from portineria.core.event import CATALOGUE, REPORTED_BY_GATEWAYS
from portineria.core.ids import Kind, is_id
from portineria.wire.report import Context, Event, Glance, Question, SignalValues, open_report, read_context
from portineria.wire.statement import Acknowledgement, Leases, Letter, SessionLease, Time, sha256

log = structlog.get_logger()
# A question every ten seconds makes 360 rows a boot. One that is played again later than that gains nothing: its nonce
# means nothing to the gateway any more, and what it proves about two processes it proved the first time.
_ASKED = timedelta(hours=1)
_BOOTS = 64  # remembered per gateway; that many restarts later an old one is no danger any more
_NAMED = KeptRows(lambda gateway: Gateway.objects.filter(public_id=gateway))
_HELD = KeptRows(
    lambda gateway: (
        Gateway.objects.select_for_update(of=("self",), no_key=True)
        .select_related("plant__organisation")
        .filter(public_id=gateway)
    )
)
_KNOWN = KeptRows(
    lambda gateway, epoch, seq: GatewayReport.objects.filter(gateway=gateway, epoch=epoch, seq=seq).order_by("pk")[:1]
)
_OWN_FIELDS = {"gateway", "session", "epoch", "gateway_seq", "report_sha256", "boot", "gateway_at_ms"}


class Unreadable(ProtocolError):
    code = "report.unreadable"


@dataclass(slots=True)
class Answer:
    """What goes back to the gateway, and whether it may stay."""

    gateway: Gateway
    letters: list[Letter] = field(default_factory=list)
    quarantined: bool = False


@dataclass(frozen=True, slots=True)
class _Received:
    context: Context
    body: Event | Question
    signed: bytes


def receive(gateway: str, sealed: list[bytes]) -> Answer:
    """Store and answer one batch in the order it came. Raise NotFound for a gateway that is not admitted."""
    received = _opened(gateway, sealed)
    with transaction.atomic():
        row = _HELD.first(gateway)
        if row is None or not row.admitted:
            raise NotFound(f"gateway {gateway} is not admitted")
        _hold_sessions(row, received)
        answer = _answered(row, received)
        row.last_seen_at = timezone.now()
        row.save(update_fields=["epoch", "seq", "chain_sha256", "last_seen_at"])
    return answer


def _opened(gateway: str, sealed: list[bytes]) -> list[_Received]:
    """Without those that do not open: their numbers are missing then, and are sent again."""
    row = _NAMED.first(gateway)
    if row is None:
        raise NotFound(f"gateway {gateway}")
    sender = Ed25519PublicKey.from_public_bytes(bytes(row.event_key))
    received = []
    for report in sealed:
        try:
            context, outer = read_context(report)
            if context.gateway != gateway:
                raise Unreadable(f"a report of {context.gateway} on the link of {gateway}")
            body, signed = open_report(outer, key=keys.opening_key(context.recipient_key_id), sender=sender)
            if isinstance(body, Glance | SignalValues) or isinstance(body, Event) == (context.seq == 0):
                raise Unreadable("events are numbered, questions are not")
        except PortineriaError as error:
            log.warning("report.refused", gateway=gateway, code=error.code, why=str(error))
            continue
        received.append(_Received(context, body, signed))
    return received


def _hold_sessions(gateway: Gateway, received: list[_Received]) -> None:
    """Lock what these reports may change before the first event locks the ledger: whoever cuts a session has the
    session first and the ledger second.
    """
    named: set[str] = set()
    for report in received:
        body = report.body
        named |= {one.session for one in body.traffic} if isinstance(body, Question) else {body.session}
    rows = Session.objects.select_for_update(of=("self",), no_key=True).filter(gateway=gateway)
    list(rows.filter(public_id__in=[name for name in named if is_id(name, Kind.SESSION)]).order_by("pk").only("pk"))


def _answered(gateway: Gateway, received: list[_Received]) -> Answer:
    answer = Answer(gateway)
    epochs: list[bytes] = []
    for report in received:
        if isinstance(report.body, Question):
            answer.letters += _answer_question(gateway, report.context.epoch, report.body)
        elif _take(gateway, report, report.body):
            epochs.append(report.context.epoch)
        elif not gateway.admitted:
            break
    if not gateway.admitted:
        return Answer(gateway, quarantined=True)
    # One per epoch that was heard of, even when everything was a repetition: the first answer may have been lost.
    answer.letters += [letter for epoch in dict.fromkeys(epochs) if (letter := _acknowledgement(gateway, epoch))]
    return answer


# -- events -----------------------------------------------------------------------------------------------------


def _take(gateway: Gateway, report: _Received, event: Event) -> bool:
    """Store the event if it is the next one. False for a gap, which what was said again may fill, and for a fork."""
    context, digest = report.context, sha256(report.signed)
    known = _KNOWN.first(gateway.pk, context.epoch, context.seq)
    if known is not None:
        if bytes(known.sha256) == digest:
            return True
        _forked(gateway, context, bytes(known.sha256), digest)
        return False
    if context.epoch != bytes(gateway.epoch):
        newest = newest_of(gateway, context.epoch)
        if newest is not None:
            return _take_late(gateway, report, event, newest)
        if context.seq != 1 or any(context.prev_sha256):
            log.warning("report.gap", gateway=gateway.public_id, seq=context.seq, expected=1)
            return False
        _begin_epoch(gateway, context.epoch)
    if context.seq != gateway.seq + 1:
        log.warning("report.gap", gateway=gateway.public_id, seq=context.seq, expected=gateway.seq + 1)
        return False
    if context.prev_sha256 != bytes(gateway.chain_sha256) and bytes(gateway.chain_sha256) != restored.ANY_PREVIOUS:
        _forked(gateway, context, bytes(gateway.chain_sha256), digest)
        return False
    _store(gateway, context, event, report.signed, digest)
    gateway.seq, gateway.chain_sha256 = context.seq, digest  # saved with all of these reports
    return True


def _take_late(gateway: Gateway, report: _Received, event: Event, newest: GatewayReport) -> bool:
    """Of a spool before the one of now: stored when it is the next of that chain, a fork only when that is proven."""
    context, digest = report.context, sha256(report.signed)
    if context.seq != newest.seq + 1:
        log.warning("report.gap", gateway=gateway.public_id, seq=context.seq, expected=newest.seq + 1)
        return False
    follows = context.prev_sha256 == bytes(newest.sha256)
    if not follows or took_turns(gateway, context.epoch, event.at_ms):
        _forked(gateway, context, bytes(newest.sha256), digest)
        return False
    _store(gateway, context, event, report.signed, digest)
    return True


def _begin_epoch(gateway: Gateway, epoch: bytes) -> None:
    if gateway.epoch:
        record(
            "estate.gateway.epoch-changed",
            organisation=gateway.plant.organisation.public_id,
            actor=SYSTEM,
            gateway=gateway.public_id,
            epoch=epoch.hex(),
            previous_epoch=bytes(gateway.epoch).hex(),
            previous_seq=gateway.seq,
        )
    gateway.epoch, gateway.seq, gateway.chain_sha256 = epoch, 0, bytes(32)


def _store(gateway: Gateway, context: Context, event: Event, signed: bytes, digest: bytes) -> None:
    ledger = _recorded(gateway, context, event, digest)
    GatewayReport.objects.create(
        gateway=gateway, epoch=context.epoch, seq=context.seq, sha256=digest, signed=signed, event=ledger
    )
    apply(gateway, event, ledger, happened_at(event.at_ms, ledger.at))


def _recorded(gateway: Gateway, context: Context, event: Event, digest: bytes) -> LedgerEvent:
    """A code or field that we do not know yet is kept in the signed bytes, and named here."""
    code = event.code if event.code in REPORTED_BY_GATEWAYS else "gateway.other"
    known = CATALOGUE[code].keys() - _OWN_FIELDS
    said: dict[str, Any] = {name: value for name, value in event.fields.items() if name in known}
    if "machine" in said and not is_id(str(said["machine"]), Kind.MACHINE):
        del said["machine"]  # the register is searched by it
    if code != event.code:
        said = {"code": event.code}
    return record(
        code,
        organisation=gateway.plant.organisation.public_id,
        actor=gateway.public_id,
        gateway=gateway.public_id,
        session=event.session,
        epoch=context.epoch.hex(),
        gateway_seq=context.seq,
        report_sha256=digest.hex(),
        boot=event.boot.hex(),
        gateway_at_ms=event.at_ms,
        **said,
    )


def _forked(gateway: Gateway, context: Context, stored: bytes, digest: bytes) -> None:
    record(
        "estate.gateway.forked",
        organisation=gateway.plant.organisation.public_id,
        actor=SYSTEM,
        gateway=gateway.public_id,
        epoch=context.epoch.hex(),
        gateway_seq=context.seq,
        stored_sha256=stored.hex(),
        report_sha256=digest.hex(),
    )
    quarantine(gateway, "forked")


def _acknowledgement(gateway: Gateway, epoch: bytes) -> Acknowledgement | None:
    newest = newest_of(gateway, epoch)
    if newest is None:
        return None
    return Acknowledgement(gateway=gateway.public_id, epoch=epoch, up_to_seq=newest.seq, sha256=bytes(newest.sha256))


# -- questions --------------------------------------------------------------------------------------------------


def _answer_question(gateway: Gateway, epoch: bytes, question: Question) -> list[Letter]:
    boot = _boot(gateway, question)
    if boot is None or not gateway.admitted:
        return []
    now = timezone.now()
    restored.go_on(gateway, epoch, question.acknowledged)
    signers.learn(gateway, question.signers)
    checkpoints = checkpoints_for(gateway, question)
    leases = _leases(gateway, question, now)
    note_traffic(gateway, question.traffic, now)
    letters: list[Letter] = [
        Time(gateway=gateway.public_id, nonce=question.nonce, unix_ms=int(now.timestamp() * 1000)),
        Leases(gateway=gateway.public_id, nonce=question.nonce, leases=leases),
    ]
    if signers.lacks_one(gateway):  # before the checkpoint: it may be signed by one of them
        letters.append(additions_for(gateway))
    return [*letters, *checkpoints, *answer_terms(gateway, question)]


def _boot(gateway: Gateway, question: Question) -> Boot | None:
    """None for a question that was asked before, or by a second gateway with the same identity."""
    newest = gateway.boots.order_by("-pk").first()
    boot = gateway.boots.filter(boot=question.boot).first()
    if boot is None:
        boot = Boot.objects.create(gateway=gateway, boot=question.boot)
        for old in gateway.boots.order_by("-pk")[_BOOTS:]:
            old.delete()
    if AskedQuestion.objects.filter(boot=boot, nonce=question.nonce).exists():
        return None
    asked = AskedQuestion.objects.create(boot=boot, nonce=question.nonce)
    AskedQuestion.objects.filter(boot=boot, at__lt=asked.at - _ASKED).delete()
    if newest is not None and boot.pk < newest.pk and _heard_later(question, newest):
        boot.returns += 1
        boot.save(update_fields=["returns"])
        _cloned(gateway, question.boot, bytes(newest.boot))
        return None
    if gateway.version != question.version:
        gateway.version = question.version
        gateway.save(update_fields=["version"])
    if gateway.inspects != (inspects := " ".join(question.inspects)):
        gateway.inspects = inspects
        gateway.save(update_fields=["inspects"])
    if gateway.holds != question.holds:
        gateway.holds = question.holds
        gateway.save(update_fields=["holds"])
    if gateway.understands != (understands := " ".join(question.understands)):
        gateway.understands = understands
        gateway.save(update_fields=["understands"])
    return boot


def _heard_later(question: Question, newest: Boot) -> bool:
    """Proof that the older process lived on beside the newer one: it heard a time of ours from after that one's start.

    A question alone proves nothing: a relay may have kept it back since before the restart.
    """
    return question.heard_ms > int(newest.first_seen_at.timestamp() * 1000)


def _cloned(gateway: Gateway, boot: bytes, newest: bytes) -> None:
    record(
        "estate.gateway.cloned",
        organisation=gateway.plant.organisation.public_id,
        actor=SYSTEM,
        gateway=gateway.public_id,
        boot=boot.hex(),
        previous_boot=newest.hex(),
    )
    quarantine(gateway, "cloned")


def _leases(gateway: Gateway, question: Question, now: datetime) -> list[SessionLease]:
    """For what is permitted at this moment, asked of policy anew; a session that is missing has none."""
    rows = Session.objects.filter(
        gateway=gateway,
        public_id__in=question.sessions,
        state__in=[SessionState.OPENING, SessionState.LIVE, SessionState.DRAINING],
        withdrawal=b"",
    ).select_related("gateway", "grant__rule", "grant__machine__plant", "grant__machine__gateway")
    sessions = list(rows)
    judged = judged_now(sessions, now)
    return [
        SessionLease(session.public_id, bytes(session.order_sha256), current().lease_s)
        for session in sessions
        if judged[session.pk].permitted
    ]
