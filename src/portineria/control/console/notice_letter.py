# SPDX-License-Identifier: Apache-2.0
"""A notification as a mail and as a webhook's body, in the language of whoever gets it.

Subjects are ours, word for word. What strangers wrote stands in the body only: on one line, printable, cut, marked as
quoted, and so that no mail program makes a link of it. The one link is to a page that asks for the sign-in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import urlsplit

from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from portineria.control.console.notices import Notice, notices
from portineria.control.console.templatetags.console import dated, minutes, zone_of
from portineria.control.console.templatetags.standings import day
from portineria.control.console.templatetags.worktime import weekly
from portineria.control.identity.models import Person
from portineria.control.notification.models import Notification
from portineria.sinks.outgoing import PRODUCT, printable, timestamp
from portineria.sinks.record import encode

QUOTED = 300  # characters of what a stranger wrote


@contextmanager
def as_read_by(person: Person) -> Iterator[None]:
    with translation.override(person.language or "en"), timezone.override(zone_of(person.time_zone)):
        yield


def quoted(text: str) -> str:
    """On one line, at most ``QUOTED`` characters; no address in it is one any more."""
    line = printable(" ".join(text[: QUOTED * 4].split()))
    line = line.replace("://", ": //").replace("www.", "www .")
    return line if len(line) <= QUOTED else f"{line[: QUOTED - 1]}…"


def mail(row: Notification, sender: str, public_url: str) -> bytes:
    """The same notification has the same Message-ID, so that one that comes twice is known by it."""
    with as_read_by(row.person):
        [notice] = notices(row.person, [row])
        found = EmailMessage(policy=SMTP)
        found["From"], found["To"] = sender, row.person.email
        found["Subject"] = f"{PRODUCT}: {notice.sentence}"
        found["Date"] = format_datetime(row.at)
        found["Message-ID"] = f"<{row.public_id}@{urlsplit(public_url).hostname}>"
        found["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers it by machine
        found.set_content("\n".join(_lines(notice, public_url)) + "\n", cte="base64")
        return found.as_bytes()


def _lines(notice: Notice, public_url: str) -> Iterator[str]:
    yield f"{notice.sentence}."
    yield ""
    for label, value in facts(notice):
        yield f"{label}: {value}"
    if notice.reason:
        yield f"> {quoted(notice.reason)}"
    yield ""
    yield f"{public_url}{notice.path}"
    yield _("You sign in there as always. Nothing is decided by answering this mail.")
    yield ""
    yield (
        _("Which of these mails you get, you choose here:") + f" {public_url}{reverse('console:notification-choices')}"
    )


def facts(notice: Notice) -> list[tuple[str, str]]:
    found = [(_("Organisation"), quoted(notice.row.organisation.name))]
    if notice.place is not None:
        found.append((_("Machine"), quoted(" › ".join([*notice.place.within, notice.place.name]))))
    if notice.who:
        found.append((_("Who"), quoted(notice.who)))
    if notice.until is not None:
        found.append((_("Counts until"), day(notice.until)))
    if (asked := notice.asked) is not None:
        zone = notice.place.zone if notice.place else ""
        begins = _moment(asked.starts_at, zone) if asked.starts_at else _("from the first opening after the yes")
        times = weekly(asked) if asked.weekly else f"{begins} · {minutes(asked.minutes)}"
        found.append((_("Time window"), times))
    return found


def _moment(at: datetime, zone: str) -> str:
    return dated(at) if not zone else f"{at.astimezone(zone_of(zone)):%Y-%m-%d %H:%M} {zone}"


def body(row: Notification, public_url: str) -> bytes:
    with as_read_by(row.person):
        [notice] = notices(row.person, [row])
        data = {
            "id": row.public_id,
            "organisation": row.organisation.public_id,
            "person": row.person.public_id,
            "kind": row.kind,
            "code": row.code,
            "thing": row.thing,
            "link": f"{public_url}{notice.path}",
            "text": notice.sentence,
            "machine": quoted(notice.place.name) if notice.place else "",
            "who": quoted(notice.who),
            "reason": quoted(notice.reason),
        }
        return encode({"type": f"notification.{row.kind}", "timestamp": timestamp(row.at), "data": data})
