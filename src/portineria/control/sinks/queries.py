# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from portineria.control.audit.models import Event, Head
from portineria.control.identity.models import Person
from portineria.control.sinks.models import DeadLetter, Sink, SinkQuerySet
from portineria.core.errors import NotFound


def sinks(actor: Person) -> SinkQuerySet:
    """Each with ``written``, the newest number of its register, and ``dead``, how many it would not take."""
    newest = Head.objects.filter(organisation=OuterRef("organisation__public_id")).values("seq")[:1]
    rows = Sink.objects.visible_to(actor).select_related("organisation", "delegation__provider").order_by("name", "pk")
    return rows.annotate(written=Coalesce(Subquery(newest), Value(0)), dead=Count("dead_letters"))


def sink(actor: Person, public_id: str) -> Sink:
    """Raise NotFound."""
    found = sinks(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"sink {public_id}")
    return found


def waiting_since(actor: Person, row: Sink) -> datetime | None:
    """When the oldest event was written that this sink has not brought."""
    rows = Event.objects.visible_to(actor).filter(organisation=row.organisation.public_id, seq__gt=row.delivered)
    return rows.order_by("seq").values_list("at", flat=True).first()


@dataclass(frozen=True, slots=True)
class Dead:
    seq: int
    at: datetime
    why: str


def dead_letters(actor: Person, public_id: str, most: int = 50) -> list[Dead]:
    """The newest first."""
    rows = DeadLetter.objects.filter(sink__in=Sink.objects.visible_to(actor), sink__public_id=public_id)
    return [Dead(row.seq, row.at, row.why) for row in rows.order_by("-seq")[:most]]
