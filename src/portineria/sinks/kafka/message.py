# SPDX-License-Identifier: Apache-2.0
"""What of an event goes into a record of Kafka. Pure."""

from portineria.sinks.file.message import WRITERS as _OF_FILES
from portineria.sinks.outgoing import Outgoing

WRITERS = {name: _OF_FILES[name] for name in ("ocsf", "json")}


def key(event: Outgoing) -> bytes:
    """Records with one key are in one partition, and only there have they an order: that of the register."""
    return event.organisation.encode()


def headers(event: Outgoing) -> list[tuple[str, bytes]]:
    """By ``id`` a reader knows what came twice."""
    return [("id", event.key.encode()), ("code", event.code.encode())]
