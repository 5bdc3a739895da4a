# SPDX-License-Identifier: Apache-2.0
"""Sinks as pages show them."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise

from portineria.control.console.texts import sinks as texts
from portineria.control.identity.authority import administers, permitted
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.sinks import queries
from portineria.control.sinks.models import Sink
from portineria.sinks.catalogue import kind_of


@dataclass(frozen=True, slots=True)
class SinkRow:
    sink: Sink
    written: int
    dead: int
    may_change: bool

    @property
    def title(self) -> str:
        kind = kind_of(self.sink.kind)
        return kind.title if kind else self.sink.kind

    @property
    def where(self) -> str:
        kind = kind_of(self.sink.kind)
        return str(self.sink.settings.get(kind.where, "")) if kind else ""

    @property
    def acknowledged(self) -> bool:
        kind = kind_of(self.sink.kind)
        return kind is None or kind.acknowledged

    @property
    def waiting(self) -> int:
        return max(0, self.written - self.sink.delivered)

    @property
    def shown_state(self) -> str:
        if self.sink.paused:
            return "paused"
        if self.sink.failures:
            return "failing"
        return "behind" if self.waiting else "current"


def rows(actor: Person) -> list[SinkRow]:
    return [shown(actor, sink) for sink in queries.sinks(actor)]


def row(actor: Person, public_id: str) -> SinkRow:
    """Raise NotFound."""
    return shown(actor, queries.sink(actor, public_id))


def shown(actor: Person, sink: Sink) -> SinkRow:
    """Of one of ``queries.sinks``."""
    may = permitted(actor, sink.organisation_id, administers, Power.SINK)
    annotated = sink.__dict__  # by ``queries.sinks``
    return SinkRow(sink, annotated["written"], annotated["dead"], may)


def settings_shown(shown: SinkRow) -> list[tuple["str | Promise", str]]:
    """Those that are no secrets and no long texts, in the order of the form."""
    kind = kind_of(shown.sink.kind)
    given = shown.sink.settings
    names = [setting.name for setting in kind.settings if not setting.shape.secret] if kind else []
    return [
        (texts.SETTINGS[name].label, str(texts.CHOICES.get(given[name], given[name])))
        for name in names
        if given.get(name) and "\n" not in given[name]
    ]


def waiting_since(actor: Person, shown: SinkRow) -> datetime | None:
    return queries.waiting_since(actor, shown.sink) if shown.waiting else None
