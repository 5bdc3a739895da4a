# SPDX-License-Identifier: Apache-2.0
"""How many bytes running streams have carried, for who looks on. No event: a figure that moves on is no fact to keep.

What counts in the end is what the gateway signs when a stream closes.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.db import transaction

from portineria.control.audit import news
from portineria.control.estate.models import Gateway
from portineria.control.remote_sessions.models import Session, Stream
from portineria.wire.report import StreamTraffic

MOST = (1 << 63) - 1  # what a column holds; a gateway may say anything
NEWS = "remote_sessions.traffic"


def set_counts(session: Session, stream: Stream, *, to_device: int, from_device: int) -> None:
    """In memory. A session's figures are those of its streams together."""
    session.to_device = _moved(session.to_device, stream.to_device, to_device)
    session.from_device = _moved(session.from_device, stream.from_device, from_device)
    stream.to_device, stream.from_device = to_device, from_device


def _moved(total: int, before: int, now: int) -> int:
    return min(max(total + now - before, 0), MOST)


def note_traffic(gateway: Gateway, traffic: Sequence[StreamTraffic], at: datetime) -> None:
    """Inside the transaction that holds the gateway's row. Counts only rise: an older question may arrive later."""
    told: dict[str, dict[str, StreamTraffic]] = defaultdict(dict)
    for one in traffic:
        told[one.session][one.stream] = one
    rows = (
        Session.objects.open().select_for_update(of=("self",), no_key=True).filter(gateway=gateway, public_id__in=told)
    )
    for session in rows.select_related("organisation").order_by("pk"):
        if _note_session(session, told[session.public_id], at):
            _tell(gateway, session)


def _note_session(session: Session, told: dict[str, StreamTraffic], at: datetime) -> bool:
    """Whether anything moved. Only then is anything written: most connections of a tool are idle most of the time."""
    moved = []
    for stream in session.streams.filter(closed_at__isnull=True):
        one = told.get(stream.public_id)
        if one is None:
            continue
        to_device = max(stream.to_device, min(one.to_device, MOST))
        from_device = max(stream.from_device, min(one.from_device, MOST))
        if stream.counted_at is None or (to_device, from_device) != (stream.to_device, stream.from_device):
            set_counts(session, stream, to_device=to_device, from_device=from_device)
            stream.counted_at = at
            moved.append(stream)
    if moved:
        Stream.objects.bulk_update(moved, ["to_device", "from_device", "counted_at"])
        session.save(update_fields=["to_device", "from_device"])
    return bool(moved)


def _tell(gateway: Gateway, session: Session) -> None:
    said = news.News(session.organisation.public_id, 0, NEWS, gateway.public_id, session=session.public_id)
    transaction.on_commit(partial(news.tell, said))
