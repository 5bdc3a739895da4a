# SPDX-License-Identifier: Apache-2.0
"""Setting sinks up, and what people do with them. Bringing events is ``progress`` and ``control/delivering.py``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time

from django.db import transaction
from django.utils import timezone

from portineria.control.audit import queries as audit_queries
from portineria.control.audit import services as audit
from portineria.control.audit.models import Event, Head
from portineria.control.identity.authority import Actor, administers, organisation_of, require
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.services import NameTaken, clean_name
from portineria.control.sinks import provider_sinks, secret
from portineria.control.sinks.models import DeadLetter, Personal, Sink
from portineria.core.errors import Conflict, Invalid, NotFound, Unavailable
from portineria.core.event import CATALOGUE
from portineria.core.event_meaning import Severity
from portineria.core.time_zones import zone_or_utc
from portineria.sinks.catalogue import kind_of
from portineria.sinks.setting import BadSetting, cleaned

NAME_CHARACTERS = 60
MOST_SINKS = 32  # of one organisation
MOST_CODES = 32


class BadSinkSetting(Invalid):
    code = "sinks.setting"


class NoEventFits(Invalid):
    """A filter that can never let anything through is a mistake, and a quiet one."""

    code = "sinks.filter"


class TooManySinks(Conflict):
    code = "sinks.too-many"


class NoExtra(Unavailable):
    code = "sinks.extra"

    def __init__(self, extra: str) -> None:
        super().__init__(f"pip install 'portineria[{extra}]'")
        self.values = {"extra": extra}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What may leave. ``codes``: whole codes or beginnings that end with a dot; none: all."""

    personal: Personal = Personal.NONE
    codes: tuple[str, ...] = ()
    severity: Severity = Severity.INFORMATIONAL

    def check(self) -> None:
        """Raise NoEventFits."""
        known = all(
            any(code == one or (code.startswith(one) and one.endswith(".")) for code in CATALOGUE) for one in self.codes
        )
        if not known or len(self.codes) > MOST_CODES:
            raise NoEventFits(f"{self.codes} fit no event")


@transaction.atomic
def add_sink(
    *, actor: Actor, organisation: str, name: str, kind: str, settings: Mapping[str, str], wanted: Wanted = Wanted(),
    from_now: bool = True,
) -> Sink:  # fmt: skip
    """``from_now``: what is in the register already stays here. Raise BadSinkSetting, NoEventFits, NameTaken."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers, Power.SINK)
    delegation = provider_sinks.delegation_of(actor, kind)
    name = clean_name(name, characters=NAME_CHARACTERS)
    wanted.check()
    open_settings, secret_settings = divided(kind, settings)
    if Sink.objects.filter(organisation=owner, name=name).exists():
        raise NameTaken(f"sink {name!r}")
    if Sink.objects.filter(organisation=owner).count() >= MOST_SINKS:
        raise TooManySinks(f"{organisation} has {MOST_SINKS} sinks")
    made = Sink(
        organisation=owner, name=name, kind=kind, settings=open_settings, personal=wanted.personal,
        codes=list(wanted.codes), severity=wanted.severity,
    )  # fmt: skip
    made.delegation = delegation
    made.wrapped = secret.wrapped(made.public_id, secret_settings)
    check_opens(made)
    made.delivered = _written(organisation) if from_now else 0
    made.save()
    record("sinks.sink.added", actor, made, kind=kind, name=name, personal=str(made.personal))
    return made


def divided(kind: str, given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What may be shown, and what may not."""
    known = kind_of(kind)
    if known is None:
        raise BadSinkSetting(f"there is no sink of kind {kind!r}")
    try:
        values = cleaned(known.settings, given)
    except BadSetting as error:
        raise BadSinkSetting(str(error)) from error
    hidden = {setting.name for setting in known.settings if setting.shape.secret}
    return (
        {name: value for name, value in values.items() if name not in hidden},
        {name: value for name, value in values.items() if name in hidden},
    )


def check_opens(sink: Sink) -> None:
    """A key that belongs to another certificate is noticed now, not at night."""
    try:
        secret.sender(sink)
    except BadSetting as error:
        raise BadSinkSetting(str(error)) from error


def _written(organisation: str) -> int:
    return Head.objects.filter(organisation=organisation).values_list("seq", flat=True).first() or 0


def locked(actor: Actor, public_id: str) -> Sink:
    row = Sink.objects.select_for_update(no_key=True).filter(public_id=public_id).first()
    if row is None:
        raise NotFound(f"sink {public_id}")
    require(actor, row.organisation_id, administers, Power.SINK)
    provider_sinks.require_own(actor, row)
    return row


def record(code: str, actor: Actor, sink: Sink, **fields: str | int | bool) -> Event:
    return audit.record(
        code, organisation=sink.organisation.public_id, actor=actor.public_id, about="", sink=sink.public_id, **fields
    )


@transaction.atomic
def pause(*, actor: Actor, sink: str) -> None:
    row = locked(actor, sink)
    if not row.paused:
        row.paused_at = timezone.now()
        row.save(update_fields=["paused_at"])
        record("sinks.sink.paused", actor, row)


@transaction.atomic
def resume(*, actor: Actor, sink: str) -> None:
    row = locked(actor, sink)
    if row.paused:
        row.paused_at = None
        row.save(update_fields=["paused_at"])
        record("sinks.sink.resumed", actor, row)


@transaction.atomic
def remove(*, actor: Actor, sink: str) -> None:
    row = locked(actor, sink)
    record("sinks.sink.removed", actor, row, name=row.name)
    row.delete()


@transaction.atomic
def replay(*, actor: Actor, sink: str, day: date, zone: str) -> int:
    """Send again from the first event of this day on, in the zone of whoever asks; return its number.

    A batch on its way meanwhile counts for nothing: its cursor was moved away under it.
    """
    row = locked(actor, sink)
    since = datetime.combine(day, time.min, zone_or_utc(zone))
    organisation = row.organisation.public_id
    first = audit_queries.first_since(organisation, since) or _written(organisation) + 1
    row.delivered = first - 1
    row.save(update_fields=["delivered"])
    record("sinks.sink.replayed", actor, row, first=first)
    return first


@transaction.atomic
def note_tested(*, actor: Actor, sink: str) -> Event:
    """The event that a test sends; it is one of the register like any other."""
    return record("sinks.sink.tested", actor, locked(actor, sink))


@transaction.atomic
def forget_dead_letters(*, actor: Actor, sink: str) -> int:
    """Send what was put aside once more: from the first of them on, with what follows it. Return its number."""
    row = locked(actor, sink)
    first = DeadLetter.objects.filter(sink=row).order_by("seq").values_list("seq", flat=True).first()
    if first is None:
        raise NotFound(f"dead letters of {sink}")
    DeadLetter.objects.filter(sink=row).delete()
    row.delivered, row.dead_in_a_row = min(row.delivered, first - 1), 0
    row.save(update_fields=["delivered", "dead_in_a_row"])
    record("sinks.sink.replayed", actor, row, first=first)
    return first
