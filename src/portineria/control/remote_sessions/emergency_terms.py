# SPDX-License-Identifier: Apache-2.0
"""What a gateway may open by itself in an emergency: written here, kept there, said again when something changes."""

import time
from collections import defaultdict

import structlog
from django.db.models import Q
from django.utils import timezone

from portineria.bus.message import ToRelay
from portineria.control.access.around import Around, around
from portineria.control.estate.models import Gateway, GatewayState, Machine, Service
from portineria.control.remote_sessions import letters
from portineria.control.remote_sessions.recording_keys import recipients_for
from portineria.core.errors import PortineriaError
from portineria.wire.report import Question
from portineria.wire.statement import (
    EMERGENCY_MACHINES,
    EMERGENCY_SERVICES,
    EmergencyMachine,
    EmergencyService,
    EmergencyTerms,
    mark_of,
)

log = structlog.get_logger()
_LOOK_S = 5.0  # how soon a lock is known at a gateway that is linked
_AGAIN_S = 60.0  # a gateway that says nothing about it is told again
_ANYBODY = 0  # no person: locks of people are no matter of a console


def terms_for(gateway: Gateway) -> EmergencyTerms:
    """Comes with its plant and organisation. A later one has a higher number, though this clock was set back."""
    owner = gateway.plant.organisation
    return EmergencyTerms(
        gateway=gateway.public_id,
        organisation=owner.public_id,
        number=max(gateway.emergency_number + 1, int(timezone.now().timestamp() * 1000)),
        allowed=gateway.emergency,
        minutes=owner.emergency_minutes,
        machines=_machines(gateway) if gateway.emergency else [],
        recording_recipients=recipients_for(owner) if gateway.emergency else [],
    )


def _machines(gateway: Gateway) -> list[EmergencyMachine]:
    rows = Machine.objects.filter(gateway=gateway).select_related("plant").order_by("name", "pk")
    machines = list(rows[:EMERGENCY_MACHINES])
    services: dict[int, list[Service]] = defaultdict(list)
    found = Service.objects.filter(device__machine__in=machines, transport="tcp").select_related("device")
    for service in found.order_by("device__name", "port", "pk"):
        services[service.device.machine_id].append(service)
    locks = around((_ANYBODY, machine) for machine in machines)
    return [_machine(machine, services[machine.pk], locks) for machine in machines]


def _machine(machine: Machine, services: list[Service], locks: Around) -> EmergencyMachine:
    offered = [
        EmergencyService(one.public_id, one.name, one.device.address, one.port) for one in services[:EMERGENCY_SERVICES]
    ]
    locked = bool(locks.locked(_ANYBODY, machine, machine.gateway_id))
    return EmergencyMachine(machine.public_id, machine.name, locked, offered)


def answer_terms(gateway: Gateway, question: Question) -> list[EmergencyTerms]:
    """For a gateway that keeps others than those of now; the caller holds its row."""
    if gateway.emergency_kept != question.emergency:
        gateway.emergency_kept = question.emergency
        gateway.save(update_fields=["emergency_kept"])
    if question.emergency is None or not (gateway.emergency or question.emergency):
        return []
    terms = terms_for(gateway)
    return [_told(gateway, terms)] if mark_of(terms) != question.emergency else []


def _told(gateway: Gateway, terms: EmergencyTerms) -> EmergencyTerms:
    gateway.emergency_number = terms.number
    Gateway.objects.filter(pk=gateway.pk, emergency_number__lt=terms.number).update(emergency_number=terms.number)
    return terms


class Spread:
    """Tells linked gateways of what changed; they ask seldom by themselves."""

    def __init__(self) -> None:
        self._next = 0.0
        self._said: dict[int, tuple[bytes, float]] = {}

    def due(self) -> list[ToRelay]:
        now = time.monotonic()
        if now < self._next:
            return []
        self._next = now + _LOOK_S
        keeps = Q(emergency=True) | ~Q(emergency_kept=b"")
        rows = Gateway.objects.filter(keeps, emergency_kept__isnull=False, state=GatewayState.ADMITTED)
        found = rows.filter(links__isnull=False).select_related("plant__organisation").distinct().order_by("pk")
        return [message for gateway in found for message in self._to(gateway, now)]

    def _to(self, gateway: Gateway, now: float) -> list[ToRelay]:
        terms = terms_for(gateway)
        mark, (said, at) = mark_of(terms), self._said.get(gateway.pk, (b"", -_AGAIN_S))
        if mark == bytes(gateway.emergency_kept or b"") or (mark == said and now < at + _AGAIN_S):
            return []
        self._said[gateway.pk] = mark, now
        try:
            return [letters.sealed(gateway, _told(gateway, terms))]
        except PortineriaError as error:  # its own trouble; the others are told all the same
            log.error("letter.not-written", gateway=gateway.public_id, code=error.code, why=str(error))
            return []
