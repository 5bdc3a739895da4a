# SPDX-License-Identifier: Apache-2.0
"""The configuration of the NATS server: one account per relay, joined to the control plane's by two subjects.

Inside its account a relay knows `up` and `down`. The server, not the relay, makes of `up` what arrives at the control
plane as `relay.<id>.up`: so it can speak for itself only. Whatever else it names exists in its own account, which
nobody else is in.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from portineria.bus.nats_bus import NEWS_SUBJECT
from portineria.bus.nats_connection import BEAT_S, PAYLOAD_BYTES, SILENT_BEATS
from portineria.bus.nats_end import DOWN, UP
from portineria.core.errors import Invalid

CONTROL = "control"
_RELAY = re.compile(r"\A[A-Za-z0-9_]{1,24}\Z")  # nothing that means something in a subject
_PER_RELAY = 4  # connections: one, and those that a partition has left until the server notices
_CONTROL_CONNECTIONS = 1024  # of each control process: one for each relay, and one for news
_PENDING_BYTES = 64 << 20  # waiting for one that does not read; then it is cut off


class BadRelayName(Invalid):
    code = "bus.relay-name"


@dataclass(frozen=True, slots=True)
class ServerFiles:
    certificate: str
    key: str


def server_configuration(listen: str, control: str, relays: Mapping[str, str], tls: ServerFiles | None) -> str:
    """``control`` and the values of ``relays`` (by id) are public nkeys. Without ``tls`` it listens in clear."""
    for relay in relays:
        if not _RELAY.match(relay) or relay == CONTROL:
            raise BadRelayName(f"{relay!r} cannot be an account")
    accounts = {CONTROL: _control_account(control, list(relays))}
    accounts |= {relay: _relay_account(relay, key) for relay, key in relays.items()}
    lines = [
        f"listen: {json.dumps(listen)}",
        f"max_payload: {PAYLOAD_BYTES}",
        f"max_pending: {_PENDING_BYTES}",
        f"max_connections: {_CONTROL_CONNECTIONS + _PER_RELAY * len(relays)}",
        f'ping_interval: "{int(BEAT_S)}s"',
        f"ping_max: {SILENT_BEATS - 1}",
        'write_deadline: "5s"',
        "no_header_support: true",
    ]
    if tls is not None:
        files = f"cert_file: {json.dumps(tls.certificate)}, key_file: {json.dumps(tls.key)}"
        lines.append(f'tls: {{ {files}, min_version: "1.3", handshake_first: true }}')
    return "\n".join([*lines, f"accounts: {json.dumps(accounts, indent=2)}"]) + "\n"


def _control_account(key: str, relays: list[str]) -> dict[str, object]:
    may_say = [f"relay.{relay}.{DOWN}" for relay in relays] + [NEWS_SUBJECT]
    may_hear = [f"relay.{relay}.{UP}" for relay in relays] + [NEWS_SUBJECT]
    return {
        "users": [{"nkey": key, "permissions": _permissions(may_say, may_hear)}],
        "exports": [{"stream": f"relay.{relay}.{DOWN}", "accounts": [relay]} for relay in relays],
        "imports": [
            {"stream": {"account": relay, "subject": UP}, "to": f"relay.{relay}.{UP}"} for relay in relays
        ],
    }  # fmt: skip


def _relay_account(relay: str, key: str) -> dict[str, object]:
    return {
        "users": [{"nkey": key, "permissions": _permissions([UP], [DOWN])}],
        "exports": [{"stream": UP, "accounts": [CONTROL]}],
        "imports": [{"stream": {"account": CONTROL, "subject": f"relay.{relay}.{DOWN}"}, "to": DOWN}],
        "limits": {"max_connections": _PER_RELAY, "max_subscriptions": 8},
    }


def _permissions(publish: list[str], subscribe: list[str]) -> dict[str, object]:
    return {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}}
