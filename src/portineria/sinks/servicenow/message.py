# SPDX-License-Identifier: Apache-2.0
"""One event as the row that opens a ticket in ServiceNow. Pure."""

import re
from collections.abc import Mapping

from portineria.sinks.outgoing import Outgoing
from portineria.sinks.record import encode
from portineria.sinks.ticket_text import title, words

_CODE = re.compile(r"\[(?=/?code\])", re.IGNORECASE)  # between two of them a journal field shows HTML as a page


def body(fields: Mapping[str, str]) -> bytes:
    return encode({name: _CODE.sub("[ ", text) for name, text in fields.items()})


def message(event: Outgoing) -> bytes:
    return body({"short_description": title(event), "description": words(event), "correlation_id": event.key})
