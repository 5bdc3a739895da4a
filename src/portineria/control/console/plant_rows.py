# SPDX-License-Identifier: Apache-2.0
"""How things stand at the plant, as pages show it: maintenance and consent signals."""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.functional import Promise

from portineria.control.access.models import AccessRequest, Grant, Maintenance, Signal
from portineria.control.access.plant_state import (
    maintenance_of,
    of_grant,
    of_rule,
    plant_state,
    signals_asked,
    signals_of,
)
from portineria.control.console.texts import signals as words
from portineria.control.estate.models import Machine
from portineria.control.identity.models import Person
from portineria.control.remote_sessions.models import Session
from portineria.policy.consent import beyond_observing


@dataclass(frozen=True, slots=True)
class Shown:
    """``settable``: why it counts for nothing there; empty: it counts."""

    signal: Signal
    kind: "str | Promise"
    settable: "str | Promise" = ""


@dataclass(frozen=True, slots=True)
class MachinePlant:
    """For the owner's people only; empty for everybody else. ``administers``: may add signals and remove them."""

    maintenance: list[Maintenance]
    signals: list[Shown]
    administers: bool = False


def of_machine(actor: Person, machine: Machine, *, signals: bool, maintenance: bool) -> MachinePlant:
    """``signals``, ``maintenance``: whether there are any."""
    if machine.plant.organisation_id not in actor.staff_of:
        return MachinePlant([], [])
    rows = [Shown(row, words.KINDS[row.kind]) for row in (signals_of(actor, machine) if signals else ())]
    role = actor.role_in(machine.plant.organisation_id)
    may = role is not None and role.administers
    return MachinePlant(maintenance_of(actor, machine, timezone.now()) if maintenance else [], rows, may)


def consent_in(actor: Person, session: Session) -> list[Shown]:
    """All of the machine for who works at the plant; what the rule asks for, for whoever works in it."""
    if not session.open:
        return []
    staff = session.organisation_id in actor.staff_of
    rows = signals_of(actor, session.machine) if staff else signals_asked(session.grant.rule, session.machine)
    return [Shown(row, words.KINDS[row.kind]) for row in rows]


@dataclass(frozen=True, slots=True)
class RequestPlant:
    """What the rule of a request asks of the plant, as it is now. ``unasked``: it asks for no presence although
    something may be changed.
    """

    maintained: bool
    asked: str
    absent: str
    signals: list[Shown]
    unasked: bool


def of_request(request: AccessRequest) -> RequestPlant:
    rule, machine, grant = request.rule, request.machine, getattr(request, "grant", None)
    asking = of_grant(grant, machine) if isinstance(grant, Grant) else of_rule(rule, machine, request.person_id)
    state = plant_state([asking], timezone.now())
    consent = state.consent(*asking)
    settable = {signal.pk: words.SET_BY[why] for signal, why in consent.settable}
    rows = [Shown(row, words.KINDS[row.kind], settable.get(row.pk, "")) for row in signals_asked(rule, machine)]
    return RequestPlant(
        maintained=state.maintained_until(rule, machine) is not None,
        asked=words.kinds(rule.signals),
        absent=words.kinds(" ".join(consent.absent)),
        signals=rows,
        unasked=not rule.signals and beyond_observing(rule.profile.profile if rule.profile else None),
    )
