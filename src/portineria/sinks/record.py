# SPDX-License-Identifier: Apache-2.0
"""One event as JSON with our own names, for receivers that have none of theirs. Pure."""

from typing import Any

import msgspec

from portineria.sinks.outgoing import Outgoing, as_json, timestamp, written

encode = msgspec.json.encode  # escapes what JSON wants escaped, so that no text ends a string or a line


def record(event: Outgoing) -> dict[str, Any]:
    return {
        "organisation": event.organisation,
        "seq": event.seq,
        "time": timestamp(event.at),
        "code": event.code,
        "name": written(event.name),
        "actor": event.actor,
        "severity": event.severity.name.lower(),
        "outcome": event.outcome.value,
        "techniques": list(event.techniques),
        "fields": {name: as_json(value) for name, value in event.fields.items()},
        "leaf_sha256": event.leaf_sha256,
    }
