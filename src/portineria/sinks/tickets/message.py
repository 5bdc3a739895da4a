# SPDX-License-Identifier: Apache-2.0
"""One event as the text of a ticket, with our own names. Pure."""

from portineria.sinks.outgoing import Outgoing
from portineria.sinks.record import encode
from portineria.sinks.ticket_text import title, words


def message(event: Outgoing) -> bytes:
    return encode({"title": title(event), "text": words(event), "key": event.key})
