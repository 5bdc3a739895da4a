# SPDX-License-Identifier: Apache-2.0
"""One event in the Open Cybersecurity Schema Framework 1.9.0-dev. Pure.

Sign-ins are Authentication (3002), connections and operations Network Activity (4001), everything else is a Base Event.
What OCSF has no word for is in ``ot_operation`` of our extension (docs/reference/ocsf-ot), or unmapped.
"""

import contextlib
import ipaddress
from collections.abc import Mapping
from typing import Any

from portineria.core.event_meaning import ON_OPERATIONS, TECHNIQUES, Outcome, Severity
from portineria.sinks.outgoing import PRODUCT, Outgoing, as_json, milliseconds, written
from portineria.sinks.record import encode

VERSION = "1.9.0-dev"
EXTENSION = {"name": "ot", "uid": "999", "version": "0.1.0"}
_SEVERITIES: Mapping[Severity, int] = {
    Severity.INFORMATIONAL: 1, Severity.NOTICE: 2, Severity.WARNING: 3, Severity.ERROR: 4, Severity.CRITICAL: 5,
}  # fmt: skip
_STATUS: Mapping[Outcome, int] = {Outcome.UNKNOWN: 0, Outcome.SUCCESS: 1, Outcome.FAILURE: 2}
_SHA256 = 3
_BASE, _AUTHENTICATION, _NETWORK = 0, 3002, 4001
_OTHER = 99
_SIGN_IN, _SIGN_OUT = 1, 2
_ACTIVITIES: Mapping[str, tuple[int, int]] = {  # class and activity
    "identity.person.signed-in": (_AUTHENTICATION, _SIGN_IN),
    "identity.person.sign-in-failed": (_AUTHENTICATION, _SIGN_IN),
    "identity.second-factor.failed": (_AUTHENTICATION, _SIGN_IN),
    "identity.person.signed-out": (_AUTHENTICATION, _SIGN_OUT),
    "stream.opened": (_NETWORK, 1),
    "stream.closed": (_NETWORK, 2),
    "stream.refused": (_NETWORK, 5),
    "operation.refused": (_NETWORK, 6),
    "operation.would-refuse": (_NETWORK, 6),
}
_ALLOWED, _DENIED = 1, 2
_ACTIONS: Mapping[str, int] = {
    "stream.refused": _DENIED, "operation.refused": _DENIED, "operation.would-refuse": _ALLOWED,
}  # fmt: skip
_OT: Mapping[str, str] = {  # field of the event → attribute of the extension
    "operation": "ot_kind",
    **{
        name: f"ot_{name}"
        for name in ("protocol", "function", "code", "targets", "route", "profile", "service", "session", "count")
    },
}


def message(event: Outgoing) -> bytes:
    return encode(document(event))


def document(event: Outgoing) -> dict[str, Any]:
    kind, activity = _ACTIVITIES.get(event.code, (_BASE, _OTHER))
    fields = {name: as_json(value) for name, value in event.fields.items()}
    operation: dict[str, str] = {}
    if event.code in ON_OPERATIONS:
        operation = {own: written(fields.pop(name)) for name, own in _OT.items() if name in fields}
    found: dict[str, Any] = {
        "class_uid": kind, "category_uid": kind // 1000, "activity_id": activity, "type_uid": kind * 100 + activity,
        "severity_id": _SEVERITIES[event.severity], "status_id": _STATUS[event.outcome],
        "time": milliseconds(event.at), "message": written(event.name), "metadata": _metadata(event),
        "raw_data_hash": {"algorithm_id": _SHA256, "value": event.leaf_sha256},
        "unmapped": {"actor": event.actor, **({"fields": fields} if fields else {})},
    }  # fmt: skip
    if activity == _OTHER:
        found["activity_name"] = written(event.name)
    if kind == _AUTHENTICATION:
        found |= {"user": {"uid": event.actor or "unknown"}, "service": {"name": PRODUCT}}
    if kind == _NETWORK:
        found["dst_endpoint"] = _endpoint(event)
    if operation:
        found["ot_operation"] = operation
    return found | _control(event)


def _metadata(event: Outgoing) -> dict[str, Any]:
    return {
        "version": VERSION, "uid": event.key, "sequence": event.seq, "event_code": event.code,
        "log_name": "register", "tenant_uid": event.organisation, "log_provider": event.source,
        "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": event.version},
        "profiles": ["security_control", "ot/ot"], "extensions": [EXTENSION],
    }  # fmt: skip


def _endpoint(event: Outgoing) -> dict[str, Any]:
    address, port = str(event.fields.get("address", "")), event.fields.get("port")
    found: dict[str, Any] = {"uid": written(event.fields.get("service") or event.fields.get("stream") or "unknown")}
    with contextlib.suppress(ValueError):
        found["ip"] = str(ipaddress.ip_address(address))
    return found | ({"port": port} if isinstance(port, int) and 0 < port < 65536 else {})


def _control(event: Outgoing) -> dict[str, Any]:
    action = _ACTIONS.get(event.code)
    attacks = [{"technique": {"uid": number, "name": TECHNIQUES[number]}} for number in event.techniques]
    return ({"action_id": action} if action else {}) | ({"attacks": attacks} if attacks else {})
