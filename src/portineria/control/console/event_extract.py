# SPDX-License-Identifier: Apache-2.0
"""What a search found, taken out: a table for other programs, and beside it why each event stands in the register."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from portineria import __version__
from portineria.control.audit.models import Event
from portineria.control.console import event_search
from portineria.control.console.event_forms import EventFilter
from portineria.control.identity import register
from portineria.control.identity.models import Person
from portineria.control.settings.start import current
from portineria.core.errors import Conflict, Invalid, Unavailable
from portineria.core.event import UnknownEvent
from portineria.core.event_meaning import UNKNOWN, meaning_of, techniques_of
from portineria.ledger import evidence as e
from portineria.ledger import extract, leaf
from portineria.sinks.extract import NoLibrary, format_named
from portineria.sinks.outgoing import Outgoing

MOST = 5000  # events; with their proofs about 12 MB


class TooManyEvents(Conflict):
    code = "audit.extract.too-many"
    values: Mapping[str, str | int] = {"most": MOST}


class NothingFound(Conflict):
    code = "audit.extract.nothing"


class NoParquet(Unavailable):
    code = "audit.extract.parquet"


class NoSuchFormat(Invalid):
    code = "audit.extract.format"


@dataclass(frozen=True, slots=True)
class Taken:
    name: str
    content: bytes


def take_out(*, actor: Person, form: EventFilter, organisation: str, kind: str, asked: str, most: int = MOST) -> Taken:
    """Taking it is an event. ``asked``: the search as its page's address says it. Raise NotFound, NoSuchFormat,
    NothingFound, TooManyEvents, BrokenChain, NoParquet.
    """
    chosen = format_named(kind)
    if chosen is None:
        raise NoSuchFormat(f"there is no format {kind[:20]!r}")
    register.require_reader(actor, organisation)
    events = event_search.gathered(actor, form, organisation, most + 1)
    if not events:
        raise NothingFound("no event fits")
    if len(events) > most:
        raise TooManyEvents(f"more than {most} events fit")
    try:
        table = chosen.write([_outgoing(event) for event in events])
    except NoLibrary as error:
        raise NoParquet(str(error)) from error
    proofs = register.take_out(actor=actor, organisation=organisation, events=events, kind=chosen.name)
    members = {chosen.file: table, e.REGISTER: proofs}
    return _packed(organisation, len(events), members, asked)


def _packed(organisation: str, events: int, members: dict[str, bytes], asked: str) -> Taken:
    now = timezone.now()
    made_at = now.isoformat(timespec="seconds")
    manifest = extract.manifest_of(organisation, made_at, events, asked[:4096], members)
    note = register.Seal().attested(organisation, extract.statement(organisation, manifest))
    return Taken(f"events-{now:%Y%m%d-%H%M%S}.zip", extract.packed(manifest, note, members))


def _outgoing(event: Event) -> Outgoing:
    """With the personal values that are there still; the reader sees them on the page too."""
    public = leaf.decode(bytes(event.leaf))["fields"]
    kept = {value.field: value.value for value in event.personal_values.all() if value.value is not None}
    try:
        meaning = meaning_of(event.code)
    except UnknownEvent:  # a newer version wrote it
        meaning = UNKNOWN
    return Outgoing(
        current().host, __version__, event.organisation, event.seq, event.at, event.code, event.actor,
        meaning.severity, meaning.outcome, bytes(event.leaf_sha256).hex(), techniques_of(event.code, public),
        {**public, **kept},
    )  # fmt: skip
