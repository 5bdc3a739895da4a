# SPDX-License-Identifier: Apache-2.0
"""An event as the text of a ticket. Pure."""

from portineria.sinks.outgoing import PRODUCT, Outgoing, timestamp, written


def words(event: Outgoing) -> str:
    """An event in lines: what every event has, an empty one, then its own fields. No text in it begins a line."""
    head = {
        "time": timestamp(event.at), "event": event.code, "actor": event.actor,
        "severity": event.severity.name.lower(), "outcome": event.outcome.value,
        "register": f"{event.organisation} {event.seq} {event.leaf_sha256}",
    }  # fmt: skip
    own = {name: written(value) for name, value in event.fields.items()}
    return "\n\n".join("\n".join(f"{name}: {value}" for name, value in part.items()) for part in (head, own))


def title(event: Outgoing) -> str:
    return f"{PRODUCT}: {event.name}"
