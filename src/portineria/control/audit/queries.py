# SPDX-License-Identifier: Apache-2.0
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, Min, OuterRef, Q, Subquery, Value, prefetch_related_objects
from django.db.models.functions import Coalesce

from portineria.control.audit import word_index, words
from portineria.control.audit.models import Checkpoint, Event, EventQuerySet, Head, Hour, Reader
from portineria.control.audit.news import News
from portineria.control.audit.services import hour_of
from portineria.control.audit.word_index import Narrowed
from portineria.core.errors import NotFound
from portineria.ledger import leaf as leaves


@dataclass(frozen=True, slots=True)
class EventView:
    """An event as people read it. An erased or secret field is None."""

    organisation: str
    seq: int
    at: datetime
    code: str
    actor: str
    fields: dict[str, Any]
    leaf_sha256: str


def events(
    actor: Reader, *, machine: str = "", gateway: str = "", session: str = "", person: str = "", code: str = ""
) -> EventQuerySet:
    """Newest first, by the order in which they were written: clocks are set back. ``code`` may be a beginning.

    ``person`` finds what was done to somebody and what they did. For pages, which have millions, see ``search``.
    """
    named = {"machine": machine, "gateway": gateway, "session": session}
    named = {name: value for name, value in named.items() if value}
    found = Event.objects.about(actor.event_organisations, **named) if named else Event.objects.visible_to(actor)
    found = found.order_by("-pk")
    if person:
        found = found.filter(Q(person=person) | Q(actor=person))
    return found.filter(code__startswith=code) if code else found


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for. Of each term one word has to be there (``words``); ``since`` and ``before`` are our times."""

    terms: tuple[frozenset[str], ...] = ()
    since: datetime | None = None
    before: datetime | None = None

    @property
    def narrows(self) -> bool:
        return bool(self.terms or self.since or self.before)


MANY = 1000  # events that fit are counted up to here


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page of a register: nobody counts ten million rows or skips over them."""

    events: list[Event]
    newer: bool = False
    older: bool = False
    count: int | None = None  # of all that fit, where it was asked for; at most one more than MANY


def search(
    actor: Reader, sought: Sought, *, most: int, before: Event | None = None, after: Event | None = None
) -> Leaf:
    """The newest ``most`` events that fit, or the ones next to an event on a page: older than it, or newer.

    The first page of a search says how many there are: what is counted is read once.
    """
    upwards, counted = after is not None, sought.narrows and before is None and after is None
    narrowed = _narrowed(actor, sought, before, after)
    rows = _rows(sought, narrowed, (MANY if counted else most) + 1, upwards) if narrowed else []
    more = len(rows) > most
    visible = Event.objects.visible_to(actor).prefetch_related("personal_values")
    events = list(visible.filter(pk__in=rows[:most]).order_by("-pk"))
    if upwards:
        return Leaf(events, newer=more, older=True)
    return Leaf(events, newer=before is not None, older=more, count=len(rows) if counted else None)


def _narrowed(actor: Reader, sought: Sought, before: Event | None, after: Event | None) -> Narrowed | None:
    """None where nothing can be found."""
    organisations = actor.event_organisations
    span = _rows_of(organisations, sought.since, sought.before)
    if not organisations or span is None:
        return None
    first, last = span
    lower = [row for row in (first - 1 if first else None, after.pk if after else None) if row is not None]
    upper = [row for row in (last, before.pk if before else None) if row is not None]
    after_row, before_row = max(lower, default=None), min(upper, default=None)
    return Narrowed(organisations, after_row, before_row, sought.since, sought.before)


def _rows_of(
    organisations: Collection[str], since: datetime | None, before: datetime | None
) -> tuple[int | None, int | None] | None:
    """Between which rows (the second excluded) those of a time are; also where the clock was set back meanwhile."""
    hours = Hour.objects.filter(organisation__in=organisations)
    within = hours
    if since:
        within = within.filter(hour__gte=hour_of(since))
    if before:
        within = within.filter(hour__lte=hour_of(before))
    if within is hours:
        return None, None
    ends_at = within.aggregate(oldest=Min("first"), newest=Max("first"))
    first, newest = ends_at["oldest"], ends_at["newest"]
    if first is None:
        return None
    # Each register goes on after that hour until its own next one begins.
    later = [hours.filter(organisation=name, first__gt=newest).order_by("first") for name in organisations]
    following = [end.values_list("first", flat=True).first() for end in later] if before else [None]
    last = None if None in following else max(row for row in following if row is not None)
    return (first if since else None), last


def _rows(sought: Sought, narrowed: Narrowed, most: int, upwards: bool) -> list[int]:
    if sought.terms:
        ours = frozenset(map(words.of_column, narrowed.organisations))
        return word_index.find([ours, *sought.terms], narrowed, most=most, ascending=upwards)
    rows: list[int] = []
    for organisation in narrowed.organisations:  # one by one: an index has the rows of one in their order
        found = Event.objects.filter(organisation=organisation).order_by("pk" if upwards else "-pk")
        wanted = {
            "pk__gt": narrowed.after_row, "pk__lt": narrowed.before_row,
            "at__gte": narrowed.since, "at__lt": narrowed.before,
        }  # fmt: skip
        found = found.filter(**{name: value for name, value in wanted.items() if value is not None})
        rows += found.values_list("pk", flat=True)[:most]
    return sorted(rows, reverse=not upwards)[:most]


def event(actor: Reader, organisation: str, seq: int) -> Event:
    """Raise NotFound."""
    found = Event.objects.visible_to(actor).filter(organisation=organisation, seq=seq)
    row = found.prefetch_related("personal_values").first()
    if row is None:
        raise NotFound(f"event {organisation}/{seq}")
    return row


def first_event(actor: Reader, organisation: str) -> Event | None:
    return Event.objects.visible_to(actor).filter(organisation=organisation).order_by("pk").first()


@dataclass(frozen=True, slots=True)
class SealState:
    organisation: str
    events: int
    sealed: int
    at: datetime | None
    waiting: datetime | None  # since when the first event that is not sealed has been there


def seals(actor: Reader) -> list[SealState]:
    """Of each register that this reader sees, up to where it is signed for."""
    newest = Checkpoint.objects.filter(organisation=OuterRef("organisation")).order_by("-size")
    heads = Head.objects.filter(organisation__in=actor.event_organisations).annotate(
        sealed=Coalesce(Subquery(newest.values("size")[:1]), Value(0)), sealed_at=Subquery(newest.values("at")[:1])
    )
    following = Event.objects.filter(organisation=OuterRef("organisation"), seq=OuterRef("sealed") + 1)
    return [
        SealState(*row)
        for row in heads.annotate(waiting=Subquery(following.values("at")[:1]))
        .order_by("organisation")
        .values_list("organisation", "seq", "sealed", "sealed_at", "waiting")
    ]


def sealed_by(actor: Reader, row: Event) -> tuple[Checkpoint, Checkpoint] | None:
    """The first checkpoint that covers it, and the newest one."""
    if row.organisation not in actor.event_organisations:
        return None
    covering = Checkpoint.objects.filter(organisation=row.organisation, size__gte=row.seq)
    ends = [Subquery(covering.order_by(by).values("pk")[:1]) for by in ("size", "-size")]
    found = list(covering.filter(Q(pk=ends[0]) | Q(pk=ends[1])).select_related("time_stamp").order_by("size"))
    return (found[0], found[-1]) if found else None


def checkpoint_at(actor: Reader, organisation: str, size: int) -> Checkpoint | None:
    """The one of this register at this size, where this reader sees it."""
    found = Checkpoint.objects.filter(organisation=organisation, size=size)
    return found.first() if organisation in actor.event_organisations else None


def of_session(organisation: str, session: str) -> EventQuerySet:
    """Newest first. For whoever was found to see this session, a technician too."""
    return Event.objects.about([organisation], session=session).order_by("-pk")


@dataclass(frozen=True, slots=True)
class Permission:
    """Under which a session ran. ``names``: its request and grant; ``profiles``: (name, version)."""

    machine: str
    names: frozenset[str]
    rule: str
    profiles: frozenset[tuple[str, int]]
    since: datetime


def of_permission(organisation: str, permission: Permission) -> list[Event]:
    """For whoever was found to see a session under it: how it was asked for and given, by which rule and profile."""
    rows = Event.objects.prefetch_related("personal_values").order_by("-pk")
    own = rows.filter(organisation=organisation)
    asked = rows.about([organisation], machine=permission.machine).filter(
        at__gte=permission.since, code__startswith="access."
    )
    found = [
        event
        for event in asked
        if permission.names & {str(value) for value in leaves.decode(bytes(event.leaf))["fields"].values()}
    ]
    rules = own.filter(code__in=["access.rule.created", "access.rule.changed"])
    sets = own.filter(code="access.profile.set")
    by_rule = (event for event in rules if _field(event, "rule") == permission.rule)
    found += [event for event in (next(by_rule, None),) if event is not None]
    for name, version in permission.profiles:
        versions = (event for event in sets if (_field(event, "name"), _field(event, "version")) == (name, version))
        found += [event for event in (next(versions, None),) if event is not None]
    return found


def _field(event: Event, name: str) -> Any:
    return leaves.decode(bytes(event.leaf))["fields"].get(name)


def views(found: Iterable[Event]) -> list[EventView]:
    """Read leaves and personal values; give it a slice (two queries however long it is)."""
    rows = list(found)
    prefetch_related_objects(rows, "personal_values")
    return [_view(event) for event in rows]


def _view(event: Event) -> EventView:
    content = leaves.decode(bytes(event.leaf))
    fields: dict[str, Any] = {**dict.fromkeys(content["hashed"]), **content["fields"]}
    fields |= {value.field: value.value for value in event.personal_values.all()}
    return EventView(
        event.organisation, event.seq, event.at, event.code, event.actor, fields, bytes(event.leaf_sha256).hex()
    )


def first_since(organisation: str, since: datetime) -> int | None:
    """The number of the first event written at this time or later; None where there is none."""
    span = _rows_of([organisation], since, None)
    if span is None:
        return None
    rows = Event.objects.filter(organisation=organisation, pk__gte=span[0] or 0, at__gte=since)
    return rows.order_by("pk").values_list("seq", flat=True).first()


def news_since(known: dict[str, int], *, most: int = 500) -> list[News]:
    """What was written after these numbers, by whichever process."""
    found: list[News] = []
    for organisation, seq in heads().items():
        if seq > known.get(organisation, 0):
            rows = Event.objects.filter(organisation=organisation, seq__gt=known.get(organisation, 0))
            found += [
                News(row.organisation, row.seq, row.code, row.actor, row.session, row.machine, row.gateway, row.person)
                for row in rows.order_by("seq")[:most]
            ]
    return found


def heads() -> dict[str, int]:
    """Newest number per organisation: how one process notices what another one wrote."""
    return dict(Head.objects.values_list("organisation", "seq"))
