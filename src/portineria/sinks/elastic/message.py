# SPDX-License-Identifier: Apache-2.0
"""One event in the Elastic Common Schema 8.17. Pure."""

from collections.abc import Mapping
from typing import Any

from portineria.core.event_meaning import TECHNIQUES, Outcome
from portineria.sinks.outgoing import PRODUCT, Outgoing, timestamp, written
from portineria.sinks.record import encode

_ECS = "8.17.0"
# By the beginning of the code: event.category has a closed list of values.
_CATEGORIES: Mapping[str, str] = {
    "identity.person.signed": "authentication",
    "identity.person.sign-in": "authentication",
    "identity.second-factor.failed": "authentication",
    "identity.": "iam",
    "access.": "iam",
    "remote_sessions.": "session",
    "session.": "session",
    "order.": "session",
    "stream.": "network",
    "operation.": "network",
}
_DENIED = "network"  # the one of these categories whose events may be of type denied


def message(event: Outgoing) -> bytes:
    return encode(document(event))


def document(event: Outgoing) -> dict[str, Any]:
    """Field values are text: an index learns the type of a field once, and another type would be refused for ever."""
    category = next((value for start, value in _CATEGORIES.items() if event.code.startswith(start)), "configuration")
    denied = category == _DENIED and event.outcome is Outcome.FAILURE
    found: dict[str, Any] = {
        "@timestamp": timestamp(event.at),
        "ecs": {"version": _ECS},
        "message": written(event.name),
        "event": {
            "id": event.key, "sequence": event.seq, "kind": "event", "category": [category],
            "type": ["denied" if denied else "info"], "action": event.code, "outcome": event.outcome.value,
            "severity": event.severity.value, "provider": "portineria", "dataset": "portineria.register",
            "hash": event.leaf_sha256,
        },
        "observer": {"vendor": PRODUCT, "product": PRODUCT, "version": event.version, "hostname": event.source},
        "organization": {"id": event.organisation},
        "user": {"id": event.actor},
        "portineria": {"fields": {name: written(value) for name, value in event.fields.items()}},
    }  # fmt: skip
    if event.techniques:
        names = [TECHNIQUES[number] for number in event.techniques]
        technique = {"id": list(event.techniques), "name": names}
        found["threat"] = {"framework": "MITRE ATT&CK", "technique": technique}
    return found
