# SPDX-License-Identifier: Apache-2.0
"""Events as a mail that people read: a line for each. No text of an event reaches a header. Pure."""

import json
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from portineria.sinks.outgoing import PRODUCT, Outgoing, timestamp, written


def message(event: Outgoing) -> bytes:
    """Values in quotes, as JSON writes them: none looks like the next field."""
    head = f"{timestamp(event.at)} {event.severity.name} {event.code} #{event.seq} by {event.actor}"
    fields = (f"{name}={json.dumps(written(value), ensure_ascii=False)}" for name, value in event.fields.items())
    return " ".join([head, *fields]).encode()


def mail(events: Sequence[Outgoing], sender: str, recipient: str) -> bytes:
    """The same events have the same Message-ID, so that a mail that comes twice is known by it."""
    first, last = events[0], events[-1]
    worst = min(event.severity for event in events)
    found = EmailMessage(policy=SMTP)
    found["From"], found["To"] = sender, recipient
    found["Subject"] = f"{PRODUCT}: {len(events)} events, the worst {worst.name.lower()}"
    found["Date"] = format_datetime(last.at)
    found["Message-ID"] = f"<{first.key}-{last.seq}@{event_domain(first)}>"
    found["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers it by machine
    lines = "\n".join(message(event).decode() for event in events)
    found.set_content(f"{lines}\n", cte="base64")
    return found.as_bytes()


def event_domain(event: Outgoing) -> str:
    return "".join(symbol for symbol in event.source if symbol.isascii() and (symbol.isalnum() or symbol in ".-"))
