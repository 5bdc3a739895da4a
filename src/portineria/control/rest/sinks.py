# SPDX-License-Identifier: Apache-2.0
"""Where events go besides, and how far behind each is."""

from datetime import date, datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.console import sink_rows
from portineria.control.console.sink_rows import SinkRow
from portineria.control.identity.models import Person
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, acts, reads, tries
from portineria.control.settings.start import current
from portineria.control.sinks import changing, queries, services, trial
from portineria.control.sinks.models import Personal
from portineria.control.sinks.services import MOST_CODES, NAME_CHARACTERS, Wanted
from portineria.core.event_meaning import Severity
from portineria.sinks.catalogue import ALL

router = Router(tags=["sinks"])
MOST_SETTINGS = 32


class SinkView(Schema):
    """``waiting``: events that were not brought yet; ``waiting_since``: when the oldest of them was written."""

    sink: str
    organisation: str
    name: str
    kind: str
    where: str
    state: str
    waiting: int
    waiting_since: datetime | None
    per_minute: int
    refused_for_good: int
    error: str


def _sink_view(shown: SinkRow, actor: Person) -> SinkView:
    row = shown.sink
    return SinkView(
        sink=row.public_id, organisation=row.organisation.public_id, name=row.name, kind=row.kind, where=shown.where,
        state=shown.shown_state, waiting=shown.waiting, waiting_since=sink_rows.waiting_since(actor, shown),
        per_minute=row.per_minute, refused_for_good=shown.dead, error=row.error,
    )  # fmt: skip


@reads(router, "/sinks", Leaf[SinkView])
def sinks(request: HttpRequest, place: Where) -> Leaf[SinkView]:
    actor = person_of(request)
    return leaf(
        actor, "sinks", queries.sinks(actor), place,
        lambda rows: [_sink_view(sink_rows.shown(actor, row), actor) for row in rows],
    )  # fmt: skip


def _sink(actor: Person, sink: str) -> SinkView:
    return _sink_view(sink_rows.row(actor, sink), actor)


@reads(router, "/sinks/{sink}", SinkView)
def sink(request: HttpRequest, sink: Id) -> SinkView:
    return _sink(person_of(request), sink)


@tries(router, "/sinks/{sink}/test", SinkView, Scope.ADMINISTER)
def sink_test(request: HttpRequest, sink: Id) -> SinkView:
    """One event is sent now, whatever waits. It is sent outside of any transaction, so no key keeps its answer."""
    actor = person_of(request)
    queries.sink(actor, sink)
    trial.send_test_event(actor=actor, sink=sink, source=current().host)
    return _sink(actor, sink)


class Changes(Given):
    """What is left out stays as it is."""

    name: str | None = Field(default=None, max_length=NAME_CHARACTERS)
    settings: dict[str, str] = Field(
        default_factory=dict, max_length=MOST_SETTINGS,
        description="By name. A secret stays unless it is given; it has to be given where the receiver changes.",
    )  # fmt: skip
    codes: list[str] | None = Field(default=None, max_length=MOST_CODES, description="Beginnings of codes; none: all.")
    severity: int | None = Field(default=None, ge=2, le=6, description="Of syslog: this one, and what is worse.")
    personal: Literal["none", "pseudonyms", "values"] | None = None


@acts(router, "/sinks/{sink}/change", SinkView, Scope.ADMINISTER)
def sink_change(request: HttpRequest, sink: Id, given: Changes) -> SinkView:
    """Where it stands: what was brought stays brought."""
    actor = person_of(request)
    row = queries.sink(actor, sink)
    wanted = Wanted(
        Personal(given.personal or row.personal),
        tuple(row.codes if given.codes is None else given.codes),
        Severity(row.severity if given.severity is None else given.severity),
    )
    changing.change_sink(
        actor=actor, sink=sink, name=given.name or row.name, settings={**row.settings, **given.settings}, wanted=wanted
    )
    return _sink(actor, sink)


@acts(router, "/sinks/{sink}/pause", SinkView, Scope.ADMINISTER)
def sink_pause(request: HttpRequest, sink: Id) -> SinkView:
    actor = person_of(request)
    queries.sink(actor, sink)
    services.pause(actor=actor, sink=sink)
    return _sink(actor, sink)


@acts(router, "/sinks/{sink}/resume", SinkView, Scope.ADMINISTER)
def sink_resume(request: HttpRequest, sink: Id) -> SinkView:
    actor = person_of(request)
    queries.sink(actor, sink)
    services.resume(actor=actor, sink=sink)
    return _sink(actor, sink)


class SettingView(Schema):
    """``secret``: it is never shown again. ``choices``: empty where any text of this ``shape`` fits."""

    name: str
    shape: str
    needed: bool
    secret: bool
    default: str
    choices: list[str]


class SinkKindView(Schema):
    kind: str
    title: str
    settings: list[SettingView]


class SinkKinds(Schema):
    items: list[SinkKindView]


@reads(router, "/sink-kinds", SinkKinds)
def sink_kinds(request: HttpRequest) -> SinkKinds:
    """What can be added, and what each wants to know."""
    return SinkKinds(
        items=[
            SinkKindView(
                kind=kind.name, title=kind.title, settings=[
                    SettingView(
                        name=one.name, shape=one.shape.value, needed=one.needed, secret=one.shape.secret,
                        default=one.default, choices=list(one.choices),
                    )
                    for one in kind.settings
                ],
            )
            for kind in ALL
        ]
    )  # fmt: skip


class NewSink(Given):
    """``from_now``: false sends what is in the register already, too."""

    organisation: str = Field(max_length=24)
    name: str = Field(max_length=NAME_CHARACTERS)
    kind: str = Field(max_length=24, description="Of `/sink-kinds`.")
    settings: dict[str, str] = Field(max_length=MOST_SETTINGS, description="By name.")
    codes: list[str] = Field(default=[], max_length=MOST_CODES, description="Beginnings of codes; none: all.")
    severity: int = Field(default=6, ge=2, le=6, description="Of syslog: this one, and what is worse.")
    personal: Literal["none", "pseudonyms", "values"] = "none"
    from_now: bool = True


@acts(router, "/sinks", SinkView, Scope.ADMINISTER)
def sink_add(request: HttpRequest, given: NewSink) -> SinkView:
    actor = person_of(request)
    wanted = Wanted(Personal(given.personal), tuple(given.codes), Severity(given.severity))
    made = services.add_sink(
        actor=actor, organisation=given.organisation, name=given.name, kind=given.kind, settings=given.settings,
        wanted=wanted, from_now=given.from_now,
    )  # fmt: skip
    return _sink(actor, made.public_id)


@acts(router, "/sinks/{sink}/again", SinkView, Scope.ADMINISTER)
def sink_again(request: HttpRequest, sink: Id) -> SinkView:
    """What the receiver would not take is sent once more, with what follows it."""
    actor = person_of(request)
    queries.sink(actor, sink)
    services.forget_dead_letters(actor=actor, sink=sink)
    return _sink(actor, sink)


class Replay(Given):
    day: date


@acts(router, "/sinks/{sink}/replay", SinkView, Scope.ADMINISTER)
def sink_replay(request: HttpRequest, sink: Id, given: Replay) -> SinkView:
    """Events from this day on, in the caller's time zone, are sent once more."""
    actor = person_of(request)
    queries.sink(actor, sink)
    services.replay(actor=actor, sink=sink, day=given.day, zone=actor.time_zone)
    return _sink(actor, sink)


class SinkRemoved(Schema):
    sink: str


@acts(router, "/sinks/{sink}/remove", SinkRemoved, Scope.ADMINISTER)
def sink_remove(request: HttpRequest, sink: Id) -> SinkRemoved:
    actor = person_of(request)
    queries.sink(actor, sink)
    services.remove(actor=actor, sink=sink)
    return SinkRemoved(sink=sink)
