# SPDX-License-Identifier: Apache-2.0
"""What opens a machine for somebody who begins, and what they prove for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from portineria.control.access.company_device import CompanyDevice
from portineria.control.access.company_devices import proven, standing_of
from portineria.control.access.facts import Beginning, decision
from portineria.control.access.models import Grant
from portineria.control.access.queries import visible_machine
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Person
from portineria.control.kept_query import KeptRows
from portineria.control.remote_sessions.refusals import refusal
from portineria.control.remote_sessions.standing_by import watched_grants
from portineria.policy.decision import Decision


@dataclass(frozen=True, slots=True)
class Shown:
    """``factor_at``: when they last proved a second factor to what they begin with; None: never, as far as is known.
    ``device_key``, ``signature``: of their computer, over the session's key; empty where it has none.
    """

    factor_at: datetime | None = None
    device_key: bytes = b""
    signature: bytes = b""


NOTHING = Shown()


class Opening(NamedTuple):
    machine: Machine
    grant: Grant  # locked
    judged: Decision
    device: CompanyDevice | None


def opening(actor: Person, machine: str, now: datetime, shown: Shown, key: bytes) -> Opening:
    """``key``: of the session. In the caller's transaction. Raise NotFound, NotPermitted, RequestWaits."""
    factor_age = now - shown.factor_at if shown.factor_at else timedelta.max
    device = _device(actor, machine, now, shown, key) if shown.device_key else None
    begins = Beginning(factor_age, standing_of(device, now), watched_grants(actor, now))
    seen = visible_machine(actor, machine, now, begins)
    locked = _locked_grant(seen.decision.grant or "")
    judged = decision(actor, seen.machine, now, begins)
    if locked is None or not judged.permitted or judged.grant != locked.public_id:
        raise refusal(actor, seen.machine, judged)
    return Opening(seen.machine, locked, judged, device)


def _device(actor: Person, machine: str, now: datetime, shown: Shown, key: bytes) -> CompanyDevice | None:
    owner = visible_machine(actor, machine, now).machine.plant.organisation_id
    return proven(actor, owner, shown.device_key, shown.signature, key)


def _locked_grant(public_id: str) -> Grant | None:
    return _LOCKED.first(public_id)


_LOCKED = KeptRows(
    lambda grant: (
        Grant.objects.select_for_update(of=("self",), no_key=True)
        .select_related("rule__profile", "profile", "narrower")
        .filter(public_id=grant)
    )
)
