# SPDX-License-Identifier: Apache-2.0
"""Whether everybody agrees again: database, relays, gateway and register, each asked by itself."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

from tests.integration.cluster.cluster import RELAYS, Cluster

FIGURES = re.compile(r'\{[^{}]*"relay\.figures"[^{}]*\}')


def disagreements(cluster: Cluster) -> list[str]:
    """Empty when all sides say the same. What is on its way may be wrong for a moment: ask until it is."""
    plant = cluster.plants[0]
    status = json.loads((plant.gateway_state / "status.json").read_text())
    found = [*_links(cluster, plant.gateway, status), *_sessions(cluster, plant.gateway, status)]
    found += [*_events(cluster, plant.gateway, status), *_grants(cluster), *_seals(cluster)]
    return found


def _links(cluster: Cluster, gateway: str, status: dict[str, Any]) -> list[str]:
    stored = {
        relay for (relay,) in cluster.rows(
            "SELECT r.public_id FROM estate_link l JOIN estate_relay r ON r.id = l.relay_id "
            "JOIN estate_gateway g ON g.id = l.gateway_id WHERE g.public_id = %s", gateway
        )
    }  # fmt: skip
    own = {link["relay"] for link in status["links"]}
    at_relays = {relay_id(cluster, name) for name in RELAYS if figures(cluster, name).get("links")}
    if not stored == own == at_relays:
        return [f"links: database {sorted(stored)}, gateway {sorted(own)}, relays {sorted(at_relays)}"]
    return [] if len(own) == len(RELAYS) else [f"links: only {sorted(own)}"]


def _sessions(cluster: Cluster, gateway: str, status: dict[str, Any]) -> list[str]:
    live = cluster.rows(
        "SELECT s.public_id FROM remote_sessions_session s JOIN estate_gateway g ON g.id = s.gateway_id "
        "WHERE s.state <> 'ended' AND g.public_id = %s",
        gateway,
    )
    stored, own = {name for (name,) in live}, {session["session"] for session in status["sessions"]}
    return [] if stored == own else [f"sessions: database {sorted(stored)}, gateway {sorted(own)}"]


def _events(cluster: Cluster, gateway: str, status: dict[str, Any]) -> list[str]:
    """Nothing lost, nothing twice: what the gateway numbered is in the register once, without gaps."""
    rows = cluster.rows(
        "SELECT encode(r.epoch, 'hex'), count(*), min(r.seq), max(r.seq), count(DISTINCT r.event_id) "
        "FROM remote_sessions_gatewayreport r JOIN estate_gateway g ON g.id = r.gateway_id "
        "WHERE g.public_id = %s GROUP BY r.epoch",
        gateway,
    )
    found = [f"events of {row}" for row in rows if not (row[2] == 1 and row[1] == row[3] == row[4])]
    waiting = status["events_waiting"]
    return [*found, *([f"{waiting} events wait at the gateway"] if waiting else [])]


def _grants(cluster: Cluster) -> list[str]:
    beyond = cluster.rows(
        "SELECT s.public_id FROM remote_sessions_session s JOIN access_grant g ON g.id = s.grant_id "
        "WHERE s.state IN ('opening', 'live') AND (g.revoked_at IS NOT NULL OR g.ends_at < now())"
    )
    return [f"{name} is live without a grant" for (name,) in beyond]


def _seals(cluster: Cluster) -> list[str]:
    unsealed = cluster.rows(
        "SELECT h.organisation, h.seq, max(c.size) FROM audit_head h "
        "LEFT JOIN audit_checkpoint c ON c.organisation = h.organisation GROUP BY h.organisation, h.seq"
    )
    return [f"register {name}: {size} of {seq} sealed" for name, seq, size in unsealed if seq != size]


def relay_id(cluster: Cluster, name: str) -> str:
    found = re.search(r'relay = "(\w+)"', (cluster.state / name / "relay.toml").read_text())
    assert found is not None
    return found[1]


def figures(cluster: Cluster, name: str) -> dict[str, Any]:
    """What the relay says now of what it holds."""
    log = cluster.processes.log(name)
    before = len(FIGURES.findall(log.read_text(errors="replace")))
    os.kill(cluster.processes.pid(name), signal.SIGUSR1)
    cluster.until(lambda: len(FIGURES.findall(log.read_text(errors="replace"))) > before, f"{name} says no figures")
    return dict(json.loads(FIGURES.findall(log.read_text(errors="replace"))[-1]))
