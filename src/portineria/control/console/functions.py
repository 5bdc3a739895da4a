# SPDX-License-Identifier: Apache-2.0
"""What a permission lets somebody do, and what we would see of it, as pages show it."""

from collections.abc import Iterable
from dataclasses import dataclass

from portineria.control.access.models import FunctionProfile, Grant, Rule
from portineria.control.access.only_services import named
from portineria.control.access.profiles import profiles_of
from portineria.control.console.texts.profiles import PROOF, profile_lines
from portineria.control.estate.models import Service
from portineria.control.remote_sessions.models import Session
from portineria.policy.proof_level import ProofLevel, proof_level


@dataclass(frozen=True, slots=True)
class Shown:
    """One profile that holds."""

    public_id: str
    name: str
    version: int
    notes_only: bool
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Offered:
    """A service, how much is seen of it, and whether the permission opens it at all."""

    service: Service
    proof: str
    decoded: bool
    left_out: bool
    unnamed: bool = False  # left out because the rule names other services


def shown(rows: Iterable[FunctionProfile | None]) -> list[Shown]:
    """Empty: nothing is inspected, everything passes."""
    return [_shown(row) for row in rows if row is not None]


def _shown(row: FunctionProfile) -> Shown:
    profile = row.profile
    return Shown(row.public_id, row.name, row.version, profile.notes_only, profile_lines(profile))


def held_in(session: Session) -> list[Shown]:
    return shown(profiles_of(session.grant))


def offered(services: Iterable[Service], rule: Rule, grant: Grant | None = None) -> list[Offered]:
    closed = rule.profile is not None or rule.only_decoded
    rows, found = list(services), []
    kept = {row.pk for row in named(rule.only_services, named(grant.only_services if grant else "", rows))}
    for service in rows:
        level = proof_level(service.protocol)
        decoded = level is ProofLevel.DECODED
        # Without a profile nobody decodes: then what passes is metadata to us, whatever it is.
        seen = level if rule.profile is not None else ProofLevel.METADATA
        unnamed = service.pk not in kept
        found.append(Offered(service, str(PROOF[seen]), decoded, unnamed or (closed and not decoded), unnamed))
    return found
