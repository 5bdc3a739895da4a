# SPDX-License-Identifier: Apache-2.0
"""One event for Splunk's HTTP Event Collector. Pure."""

from portineria.sinks.outgoing import Outgoing, milliseconds
from portineria.sinks.record import encode, record

SOURCE_TYPE = "portineria:event"


def message(event: Outgoing, index: str = "") -> bytes:
    content = {
        "time": milliseconds(event.at) / 1000,
        "host": event.source,
        "source": "portineria",
        "sourcetype": SOURCE_TYPE,
        "event": record(event),
    }
    return encode(content | ({"index": index} if index else {}))
