# SPDX-License-Identifier: Apache-2.0
"""Many more of everything in the ``world``: machines, people, requests, grants and sessions, written many at a time."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.utils import timezone

from portineria.control.access.models import AccessRequest, Approval, Grant, Rule
from portineria.control.estate.models import Device, Gateway, Machine, Service
from portineria.control.identity.models import Membership, Person, Supplier
from portineria.control.remote_sessions.models import Session
from tests.integration.control.world import World

_STATES = ("pending", "refused", "approved", "approved", "approved")


def crowd(world: World, many: int) -> None:
    """``many`` machines of the technician's rule; half of the requests are the technician's own."""
    mark = secrets.token_hex(3)
    rule = Rule.objects.select_related("supplier", "organisation").get(public_id=world.rule)
    gateway = Gateway.objects.get(public_id=world.gateway.id)
    machines = Machine.objects.bulk_create(
        Machine(plant=gateway.plant, gateway=gateway, name=f"Mill {mark} {number:04}") for number in range(many)
    )
    devices = Device.objects.bulk_create(Device(machine=row, name="PLC", address="192.168.10.7") for row in machines)
    Service.objects.bulk_create(Service(device=row, name="modbus", protocol="modbus", port=502) for row in devices)
    rule.machines.add(*machines)
    people = Person.objects.bulk_create(
        Person(name=f"Person {mark} {number}", email=f"{mark}{number}@example.com", password="!")
        for number in range(many)
    )
    Membership.objects.bulk_create(
        Membership(person=row, organisation=rule.organisation, role="technician", supplier=rule.supplier)
        for row in people
    )
    Supplier.objects.bulk_create(
        Supplier(organisation=rule.organisation, name=f"Firm {mark} {number}") for number in range(many)
    )
    _sessions(world, rule, machines, people)


def _sessions(world: World, rule: Rule, machines: list[Machine], people: list[Person]) -> None:
    now = timezone.now()
    requests = AccessRequest.objects.bulk_create(
        AccessRequest(
            organisation=rule.organisation, machine=machine, person=world.technician if number % 2 else people[number],
            rule=rule, reason="belt change", minutes=60, made_at=now - timedelta(minutes=number % 50),
            state=_STATES[number % 5],
        )
        for number, machine in enumerate(machines)
    )  # fmt: skip
    Approval.objects.bulk_create(
        Approval(request=row, asked_by=row.person, decided_by=world.owner, approved=True)
        for row in requests
        if row.state == "approved"
    )
    grants = Grant.objects.bulk_create(
        Grant(
            organisation=rule.organisation, request=row, rule=rule, person=row.person, machine=row.machine,
            starts_at=row.made_at, ends_at=now + timedelta(minutes=10),
        )
        for row in requests
        if row.state == "approved"
    )  # fmt: skip
    Session.objects.bulk_create(_session(grant, number) for number, grant in enumerate(grants))


def _session(grant: Grant, number: int) -> Session:
    """Every third is over; nobody has a receipt for it."""
    now, over = timezone.now(), number % 3 == 0
    return Session(
        organisation=grant.organisation, grant=grant, person=grant.person, machine=grant.machine,
        gateway=grant.machine.gateway, key=b"", key_sha256=secrets.token_bytes(32), certificate=b"", order=b"",
        order_seq=1, order_sha256=bytes(32), expires_at=grant.ends_at + timedelta(hours=1), requested_at=now,
        state="ended" if over else "live", ended_at=now if over else None, ending="unproven" if over else "",
    )  # fmt: skip
