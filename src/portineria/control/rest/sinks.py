# SPDX-License-Identifier: Apache-2.0
"""Where events go besides, and how far behind each is."""

from datetime import datetime
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
