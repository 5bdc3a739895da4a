# SPDX-License-Identifier: Apache-2.0
"""One event as one row for Microsoft Sentinel: the columns that the stream of a data collection rule declares. Pure."""

from portineria.sinks.outgoing import Outgoing, as_json, timestamp, written
from portineria.sinks.record import encode


def message(event: Outgoing) -> bytes:
    return encode(
        {
            "TimeGenerated": timestamp(event.at),
            "Organisation": event.organisation,
            "Seq": event.seq,
            "Code": event.code,
            "Name": written(event.name),
            "Actor": event.actor,
            "Severity": event.severity.name.lower(),
            "Outcome": event.outcome.value,
            "Techniques": " ".join(event.techniques),
            "Fields": {name: as_json(value) for name, value in event.fields.items()},
            "LeafSha256": event.leaf_sha256,
            "Source": event.source,
        }
    )
