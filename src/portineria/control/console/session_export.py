# SPDX-License-Identifier: Apache-2.0
"""Sessions as a table for a spreadsheet: what their list shows to the same person, all of it, read bit by bit."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from asgiref.sync import sync_to_async
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from portineria.control.console import queries, texts
from portineria.control.console.queries import Seen
from portineria.control.console.templatetags.console import zone_of
from portineria.control.identity.models import Person
from portineria.control.own_connection import given_back
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.sinks.extract import harmless

_AT_ONCE = 500  # rows in memory: some 2 KB each
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"  # without it a spreadsheet takes UTF-8 for its system's old encoding


async def lines(actor: Person, language: str) -> AsyncIterator[str]:
    """For every part it is asked anew what the reader may see: they may be locked out meanwhile."""
    yield _MARK + await sync_to_async(given_back(_head))(language)
    before: int | None = None
    while part := await sync_to_async(given_back(_part))(actor, language, before):
        text, before = part
        yield text


def _head(language: str) -> str:
    with translation.override(language):
        return _written(
            [
                [
                    _("Session"), _("Who"), _("Supplier"), _("Place"), _("Machine"), _("Tag"), _("State"),
                    _("Asked for"), _("Inside since"), _("Ended"), _("Why"), _("Ended by"), _("Reason"),
                    _("To the machine") + ", B", _("From the machine") + ", B",
                    _("Time zone"),
                ]
            ]
        )  # fmt: skip


def _part(actor: Person, language: str, before: int | None) -> tuple[str, int] | None:
    """The next rows, by key downwards from ``before``, and the last one's key; None after the last."""
    actor.refresh_from_db()
    named = remote_sessions.with_firm(remote_sessions.sessions(actor))
    found = named.order_by("-pk").defer("order", "certificate", "withdrawal", "key")
    rows = queries.seen((found.filter(pk__lt=before) if before else found)[:_AT_ONCE], actor)
    if not rows:
        return None
    with translation.override(language):
        return _written(_row(row, actor) for row in rows), rows[-1].session.pk


def _row(row: Seen, actor: Person) -> list[object]:
    session, place = row.session, row.place
    zone = zone_of(place.zone or actor.time_zone)

    def at(moment: datetime | None) -> str:
        return timezone.localtime(moment, zone).isoformat(" ", "seconds") if moment else ""

    firm, ended_by = session.__dict__["firm"], session.ended_by  # by ``with_firm``
    return [
        session.public_id, session.person.name, firm, " › ".join(place.within),
        place.name, place.tag, str(texts.state(row.shown_state, "session").text), at(session.requested_at),
        at(session.live_at), at(session.ended_at), ", ".join(row.ended_because), ended_by.name if ended_by else "",
        session.end_reason, session.to_device, session.from_device, str(zone),
    ]  # fmt: skip


def _written(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([[harmless(cell) for cell in row] for row in rows])
    return text.getvalue()
