# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from portineria.control.audit.models import Event, EventQuerySet, Head, Reader
from portineria.control.audit.news import News
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
    actor: Reader, *, code: str = "", session: str = "", machine: str = "", gateway: str = "", person: str = "",
    since: datetime | None = None, before: datetime | None = None,
) -> EventQuerySet:  # fmt: skip
    """Newest first, by the order in which they were written: clocks are set back. ``since`` and ``before`` are ours.

    ``code`` may be a beginning, as in ``access.``; ``person`` finds what was done to somebody and what they did.
    """
    found = Event.objects.visible_to(actor).order_by("-pk")
    if code:
        found = found.filter(code__startswith=code)
    if person:
        found = found.filter(Q(person=person) | Q(actor=person))
    wanted = {"session": session, "machine": machine, "gateway": gateway, "at__gte": since, "at__lt": before}
    return found.filter(**{name: value for name, value in wanted.items() if value})


def of_session(organisation: str, session: str) -> EventQuerySet:
    """Newest first. For whoever was found to see this session, a technician too."""
    return Event.objects.filter(organisation=organisation, session=session).order_by("-seq")


def views(found: Iterable[Event]) -> list[EventView]:
    """Read leaves and personal values; give it a slice (two queries however long it is)."""
    rows = found.prefetch_related("personal_values") if isinstance(found, EventQuerySet) else found
    return [_view(event) for event in rows]


def _view(event: Event) -> EventView:
    content = leaves.decode(bytes(event.leaf))
    fields: dict[str, Any] = {**dict.fromkeys(content["hashed"]), **content["fields"]}
    fields |= {value.field: value.value for value in event.personal_values.all()}
    return EventView(
        event.organisation, event.seq, event.at, event.code, event.actor, fields, bytes(event.leaf_sha256).hex()
    )


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
