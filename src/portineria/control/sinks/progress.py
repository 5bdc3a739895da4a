# SPDX-License-Identifier: Apache-2.0
"""How far each sink is. For the one process that delivers; every step follows from the database alone.

A cursor moves from where the batch began and from nowhere else: whoever was frozen while another one delivered, or
while somebody asked for a replay or changed the sink, moves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.utils import timezone

from portineria.control.audit import services as audit
from portineria.control.audit.models import Event, Head
from portineria.control.identity.authority import SYSTEM
from portineria.control.sinks import secret
from portineria.control.sinks.leaving import Leaving
from portineria.control.sinks.models import WHY, DeadLetter, Personal, Sink
from portineria.sinks.outgoing import Outgoing

log = structlog.get_logger()
TELL_AFTER = 5  # failures in a row: about half a minute
_RATE_OVER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Batch:
    """The events after ``begin`` up to ``end`` that this sink wants."""

    sink: int
    begin: int
    end: int
    events: tuple[Outgoing, ...]
    version: int  # of the sink's settings


def due() -> list[int]:
    """Sinks that are not where their register is: behind it, or ahead of one that was put back."""
    newest = Head.objects.filter(organisation=OuterRef("organisation__public_id")).values("seq")[:1]
    rows = Sink.objects.leaving(timezone.now()).annotate(written=Subquery(newest))
    return list(rows.exclude(delivered=F("written")).order_by("pk").values_list("pk", flat=True))


def running(sink: int) -> Sink | None:
    return Sink.objects.leaving(timezone.now()).filter(pk=sink).select_related("organisation").first()


def next_batch(sink: int, most: int, source: str) -> Batch | None:
    """None where there is nothing to bring. A gap in the numbers is told, and what follows it goes on."""
    row = running(sink)
    if row is None:
        return None
    organisation = row.organisation.public_id
    rows = list(_rows(row, organisation)[:most])
    if not rows:
        _look_behind(row, organisation)
        return None
    if rows[0].seq != row.delivered + 1:
        return _over_the_gap(row, rows[0].seq)
    while rows[-1].seq != rows[0].seq + len(rows) - 1:
        rows.pop()  # up to the gap; the next batch begins with it
    leaving = Leaving(row, secret.pseudonym_key(row), source)
    events = tuple(leaving.outgoing(event) for event in rows if leaving.wants(event))
    return Batch(row.pk, row.delivered, rows[-1].seq, events, row.version)


def _rows(row: Sink, organisation: str) -> QuerySet[Event]:
    found = Event.objects.filter(organisation=organisation, seq__gt=row.delivered).order_by("seq")
    return found if row.personal == Personal.NONE else found.prefetch_related("personal_values")


def _over_the_gap(row: Sink, found: int) -> Batch:
    _tell_gap(row, row.delivered + 1, found - 1)
    return Batch(row.pk, row.delivered, found - 1, (), row.version)


def _look_behind(row: Sink, organisation: str) -> None:
    """A register that has fewer events than were brought was cut, or put back from a copy."""
    written = Head.objects.filter(organisation=organisation).values_list("seq", flat=True).first() or 0
    if row.delivered > written and _move(row.pk, row.delivered, written, row.version):
        _tell_gap(row, written + 1, row.delivered)


@transaction.atomic
def _tell_gap(row: Sink, first: int, last: int) -> None:
    log.error("sink.gap", sink=row.public_id, first=first, last=last)
    _record("sinks.register.gap", row, first=first, last=last)


def _move(sink: int, begin: int, end: int, version: int) -> bool:
    return bool(Sink.objects.filter(pk=sink, delivered=begin, version=version).update(delivered=end))


def _record(code: str, row: Sink, **fields: str | int | bool) -> None:
    audit.record(code, organisation=row.organisation.public_id, actor=SYSTEM, about="", sink=row.public_id, **fields)


@transaction.atomic
def note_taken(batch: Batch, end: int, dead: Sequence[tuple[int, str]] = (), *, sent: int) -> bool:
    """Everything up to ``end`` was acknowledged, or is in ``dead`` (number, why). False: the cursor is elsewhere."""
    if not _move(batch.sink, batch.begin, end, batch.version):
        return False
    row = Sink.objects.select_for_update(no_key=True).select_related("organisation").get(pk=batch.sink)
    for seq, why in dead:
        DeadLetter.objects.get_or_create(sink=row, seq=seq, defaults={"why": why[:WHY]})
    recovered = row.told and sent > 0
    _count(row, sent, len(dead))
    row.save()
    for seq, why in dead:
        _tell_dead(row, seq, why)
    if recovered:
        log.info("sink.recovered", sink=row.public_id)
        _record("sinks.sink.recovered", row)
    return True


def _count(row: Sink, sent: int, dead: int) -> None:
    now = timezone.now()
    if row.counted_from is None or not timedelta() <= now - row.counted_from <= _RATE_OVER:
        row.counted_from, row.counted = now, 0
    if sent:
        row.sent, row.counted, row.delivered_at = row.sent + sent, row.counted + sent, now
        row.failures, row.error, row.failed_at, row.told, row.dead_in_a_row = 0, "", None, False, 0
    row.dead_in_a_row += dead


def _tell_dead(row: Sink, seq: int, why: str) -> None:
    """Not about our own: an event about a refused event would be refused as well, and so on without end."""
    log.error("sink.dead-letter", sink=row.public_id, seq=seq, why=why)
    code = Event.objects.filter(organisation=row.organisation.public_id, seq=seq).values_list("code", flat=True).first()
    if code is not None and not code.startswith("sinks."):
        _record("sinks.event.dead", row, seq=seq, why=why)


@transaction.atomic
def note_failed(sink: int, why: str) -> int:
    """Return how many times in a row. Said in the register once, when it is no hiccup any more."""
    row = Sink.objects.select_for_update(no_key=True).select_related("organisation").filter(pk=sink).first()
    if row is None:
        return 0
    row.failures, row.error, row.failed_at = row.failures + 1, why[:WHY], timezone.now()
    tell = row.failures >= TELL_AFTER and not row.told
    row.told = row.told or tell
    row.save(update_fields=["failures", "error", "failed_at", "told"])
    log.warning("sink.away", sink=row.public_id, why=why, failures=row.failures)
    if tell:
        _record("sinks.sink.failing", row, why=why[:WHY])
    return row.failures


def note_away(system: str, why: str) -> None:
    """As ``note_failed``, for a system that keeps tickets."""
    if (sink := Sink.objects.filter(public_id=system).values_list("pk", flat=True).first()) is not None:
        note_failed(sink, why)


@transaction.atomic
def note_reached(system: str) -> None:
    row = Sink.objects.select_for_update(no_key=True).select_related("organisation").filter(public_id=system).first()
    if row is None or not row.failures:
        return
    recovered = row.told
    row.failures, row.error, row.failed_at, row.told = 0, "", None, False
    row.save(update_fields=["failures", "error", "failed_at", "told"])
    if recovered:
        _record("sinks.sink.recovered", row)


def dead_in_a_row(sink: int) -> int:
    return Sink.objects.filter(pk=sink).values_list("dead_in_a_row", flat=True).first() or 0
