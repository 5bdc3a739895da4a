# SPDX-License-Identifier: Apache-2.0
"""From the register to rows for people. For the one process that notifies.

The rows of some events and the number up to which they were read commit together: whoever was killed in between reads
them again, and whoever reads them twice makes nothing twice.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce

from portineria.control.audit.models import Event, Head
from portineria.control.audit.news import News, tell
from portineria.control.identity.models import Organisation, Person
from portineria.control.notification.models import (
    USUAL,
    Channel,
    Choice,
    Delivery,
    Kind,
    Notification,
    Reading,
    Webhook,
)
from portineria.control.notification.recipients import CODES, Meant, meant_by
from portineria.control.remote_sessions.models import Session, SessionState

MADE = "notification.made"  # what open pages hear
ENDS_SOON = "session.ends-soon"
OLD = timedelta(days=1)  # what is older than this when it is read is no news to anybody
TOGETHER = 200  # events
KEPT = timedelta(days=90)
MOST_FORGOTTEN = 500  # at once: nobody waits for it
SOON = timedelta(minutes=10)
_SHORT = timedelta(minutes=20)  # whoever asked for so little knows when it ends


def behind() -> list[str]:
    """Organisations whose register goes on after what was read, or was put back from a copy to before it."""
    newest = Head.objects.filter(organisation=OuterRef("public_id")).values("seq")[:1]
    read = Reading.objects.filter(organisation=OuterRef("pk")).values("seq")[:1]
    rows = Organisation.objects.annotate(
        written=Coalesce(Subquery(newest), Value(0)), known=Coalesce(Subquery(read), Value(0))
    )
    return list(rows.exclude(written=F("known")).order_by("pk").values_list("public_id", flat=True))


@transaction.atomic
def collect(organisation: str, at: datetime, *, mail: bool) -> int:
    """Read on; return how many rows were made. ``mail``: this installation has a mail server."""
    owner = Organisation.objects.get(public_id=organisation)
    Reading.objects.get_or_create(organisation=owner)
    reading = Reading.objects.select_for_update(no_key=True).get(organisation=owner)
    written = Head.objects.filter(organisation=organisation).values_list("seq", flat=True).first() or 0
    rows = Event.objects.filter(organisation=organisation, seq__gt=reading.seq, seq__lte=written, code__in=CODES)
    events = list(rows.order_by("seq")[:TOGETHER])
    reading.seq = events[-1].seq if len(events) == TOGETHER else written
    reading.save(update_fields=["seq"])
    made = 0
    for event in events:
        if event.at > at - OLD:
            key = f"{organisation}.{bytes(event.leaf_sha256).hex()}"
            made += tell_people(
                owner, meant_by(event), key=key, code=event.code, by=event.actor, at=event.at, mail=mail
            )
    return made


@transaction.atomic
def tell_people(
    owner: Organisation, meant: Iterable[Meant], *, key: str, code: str, by: str, at: datetime, mail: bool
) -> int:
    """Each once, by the ways that they chose."""
    wanted = list(meant)
    people = {row.pk: row for row in Person.objects.get_queryset().filter(pk__in=[one.person for one in wanted])}
    chosen = _chosen(people)
    made = 0
    for one in wanted:
        ways = chosen[one.person, one.kind]
        row, new = Notification.objects.get_or_create(
            person_id=one.person, key=key,
            defaults={"organisation": owner, "kind": one.kind, "code": code, "thing": one.thing, "by": by, "at": at,
                      "listed": Channel.CONSOLE in ways},
        )  # fmt: skip
        if not new:
            continue
        made += 1
        for channel in (Channel.MAIL, Channel.WEBHOOK):
            if channel in ways and (mail or channel is not Channel.MAIL):
                Delivery.objects.create(notification=row, person_id=one.person, channel=channel)
        if row.listed:
            news = News("", 0, MADE, "", person=people[one.person].public_id)
            transaction.on_commit(partial(tell, news))
    return made


def _chosen(people: Iterable[int]) -> dict[tuple[int, str], tuple[Channel, ...]]:
    pks = list(people)
    found = {(person, kind.value): USUAL[kind] for person in pks for kind in Kind}
    found |= {(row.person_id, row.kind): row.channels for row in Choice.objects.filter(person__in=pks)}
    hooked = set(Webhook.objects.filter(person__in=pks).values_list("person", flat=True))
    return {
        key: tuple(way for way in ways if way is not Channel.WEBHOOK or key[0] in hooked) for key, ways in found.items()
    }


def forget(at: datetime) -> int:
    """What happened stays in the register; that somebody was told of it needs no room for ever."""
    old = Notification.objects.filter(at__lt=at - KEPT).order_by("at").values_list("pk", flat=True)[:MOST_FORGOTTEN]
    count, _ = Notification.objects.filter(pk__in=list(old)).delete()
    return count


def collect_ends(at: datetime, *, mail: bool) -> int:
    """Sessions that end soon by the clock, each once for each end that it is given."""
    soon = Session.objects.filter(state=SessionState.LIVE, expires_at__gt=at, expires_at__lte=at + SOON)
    rows = soon.filter(Q(expires_at__gt=F("requested_at") + _SHORT)).select_related("organisation")
    made = 0
    for row in rows.order_by("pk"):
        meant = [Meant(row.person_id, Kind.ENDS, row.public_id)]
        key = f"{row.public_id}.{int(row.expires_at.timestamp())}"
        made += tell_people(row.organisation, meant, key=key, code=ENDS_SOON, by="", at=at, mail=mail)
    return made
