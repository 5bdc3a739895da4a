# SPDX-License-Identifier: Apache-2.0
"""Organisations, people, machines, rules, requests and grants of the large database."""

import hashlib
import itertools
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from allauth.mfa.models import Authenticator
from django.utils import timezone

from portineria.control.access.models import AccessRequest, Approval, Grant, Rule, RuleVersion
from portineria.control.estate.models import Device, Gateway, Line, Link, Machine, Plant, Relay, Service, Zone
from portineria.control.identity import keys
from portineria.control.identity.models import Installation, Membership, Organisation, Person, Role, Supplier
from tests.bench.estate import Size, stored

PLANTS, LINES, GATEWAYS = 40, 10, 10  # lines and gateways of each plant
_DEVICES, _SERVICES = 2, 2  # of each machine, of each device
_STAFF = 100  # every so many-th person works for an owner
_SECOND = 20  # every so many-th plant, supplier and member of the staff is of the other organisation
_OF_FIRM = 10  # every so many-th rule names one person; the others a supplier
_LARGE = 6  # suppliers with machines everywhere: of every hundred rules some are theirs
_TIME_ZONES = ("Europe/Rome", "Asia/Tokyo", "Europe/Berlin", "America/Chicago")
_KINDS = ("Press", "Robot cell", "Oven", "Conveyor", "Packer", "Filler", "Palletiser", "Extruder", "Mill", "Washer")
_PROTOCOLS = (("modbus", 502), ("opcua", 4840), ("s7comm", 102), ("ssh", 22))
YEARS = timedelta(days=730)  # over which requests and sessions are spread


@dataclass
class Estate:
    """``named``: which machines a rule names; ``firm``: technicians of a supplier."""

    now: datetime
    random: random.Random
    organisations: list[Organisation]
    staff: dict[int, list[Person]] = field(default_factory=lambda: defaultdict(list))
    firms: list[Supplier] = field(default_factory=list)
    firm: dict[int, list[Person]] = field(default_factory=lambda: defaultdict(list))
    machines: dict[int, list[Machine]] = field(default_factory=lambda: defaultdict(list))
    rules: list[Rule] = field(default_factory=list)
    named: dict[int, list[Machine]] = field(default_factory=dict)
    services: dict[int, list[Service]] = field(default_factory=lambda: defaultdict(list))
    grants: list[Grant] = field(default_factory=list)

    def owner_of(self, number: int) -> Organisation:
        return self.organisations[number % _SECOND == _SECOND - 1]


def make(size: Size, source: random.Random) -> Estate:
    installation, _ = Installation.objects.get_or_create(pk=1)
    keys.make_missing(installation.public_id, timezone.now())
    organisations = stored(Organisation, [Organisation(name="Great works"), Organisation(name="Smaller works")])
    made = Estate(timezone.now(), source, organisations)
    _people(made, size)
    _plants(made, size)
    _rules(made, size)
    _requests(made, size)
    return made


def _people(made: Estate, size: Size) -> None:
    firms = [Supplier(organisation=made.owner_of(n), name=f"Supplier {n:04}") for n in range(size.suppliers)]
    made.firms = stored(Supplier, firms)
    people = stored(
        Person,
        [
            # "!" is no hash: nobody signs in to these accounts with a password.
            Person(name=f"Person {n:05}", email=f"person{n:05}@example.com", password="!", time_zone=_TIME_ZONES[n % 4])
            for n in range(size.people)
        ],
    )
    stored(Authenticator, [Authenticator(user=person, type="totp", data={"secret": ""}) for person in people])
    memberships, technicians = [], itertools.cycle(made.firms)
    for number, person in enumerate(people):
        if number % _STAFF == 0:
            place = number // _STAFF
            owner = made.owner_of(place)
            role = (Role.ADMINISTRATOR, Role.APPROVER, Role.OPERATOR)[min(place // 10 % 10, 2)]
            memberships.append(Membership(person=person, organisation=owner, role=role))
            made.staff[owner.pk].append(person)
        else:
            firm = next(technicians)
            memberships.append(
                Membership(person=person, organisation=firm.organisation, role=Role.TECHNICIAN, supplier=firm)
            )
            made.firm[firm.pk].append(person)
    stored(Membership, memberships)


def _plants(made: Estate, size: Size) -> None:
    relay = Relay.objects.create(position=0, host="relay.example.com", port=443)
    plants = stored(
        Plant,
        [
            Plant(organisation=made.owner_of(n), name=f"Plant {n:02}", time_zone=_TIME_ZONES[n % 4])
            for n in range(PLANTS)
        ],
    )
    zones = stored(Zone, [Zone(plant=plant, name=name) for plant in plants for name in ("Wet end", "Dry end")])
    lines = stored(
        Line, [Line(plant=zones[2 * (n // LINES)].plant, zone=zones[2 * (n // LINES) + n % 2], name=f"Line {n % LINES}")
               for n in range(PLANTS * LINES)],
    )  # fmt: skip
    gateways = stored(Gateway, [_gateway(made, plants[n // GATEWAYS], n) for n in range(PLANTS * GATEWAYS)])
    # One in twenty is away: that is what somebody has to look at.
    stored(Link, [Link(gateway=row, relay=relay, address="192.0.2.1") for n, row in enumerate(gateways) if n % 20])
    machines = stored(
        Machine,
        [
            Machine(
                plant=plants[n % PLANTS], line=lines[n % PLANTS * LINES + n // PLANTS % LINES],
                gateway=gateways[n % PLANTS * GATEWAYS + n // PLANTS % GATEWAYS],
                name=f"{_KINDS[n % 7]} {n:05}", tag=f"K-{n:05}", criticality=("low", "normal", "high")[n % 3],
                answering=made.staff[plants[n % PLANTS].organisation_id][0],
            )
            for n in range(size.machines)
        ],
    )  # fmt: skip
    for machine in machines:
        made.machines[machine.plant.organisation_id].append(machine)
    _services(made, machines)


def _gateway(made: Estate, plant: Plant, number: int) -> Gateway:
    return Gateway(
        plant=plant, name=f"cabinet {number:03}", state="waiting" if number % 133 == 7 else "admitted", version="0.1",
        tls_key=b"", spki_sha256=hashlib.sha256(b"%d" % number).digest(), event_key=b"", sealing_key=b"",
        certificate_expires_at=made.now + YEARS, last_seen_at=made.now,
    )  # fmt: skip


def _services(made: Estate, machines: list[Machine]) -> None:
    devices = stored(
        Device,
        [
            Device(machine=machine, name=("PLC", "Panel", "Drive")[n], address=f"192.168.{number % 250}.{n + 1}")
            for number, machine in enumerate(machines)
            for n in range(_DEVICES)
        ],
    )
    services = [
        Service(device=device, name=name, protocol=name, port=port)
        for device in devices
        for name, port in _PROTOCOLS[:_SERVICES]
    ]
    for service in stored(Service, services):
        made.services[service.device.machine_id].append(service)


def _rules(made: Estate, size: Size) -> None:
    """Most name a few machines of one supplier; some suppliers have built whole plants."""
    large, rules, machines = made.firms[:_LARGE], [], []
    for number in range(size.rules):
        firm = large[number % _LARGE] if number % 100 < _LARGE else made.firms[number % len(made.firms)]
        person = made.random.choice(made.firm[firm.pk]) if number % _OF_FIRM == 9 else None
        rules.append(
            Rule(
                organisation=firm.organisation, supplier=None if person else firm, person=person,
                needs_approval=bool(number % 5), created_at=made.now - YEARS * made.random.random(),
                ended_at=made.now if number % 25 == 24 else None, max_minutes=(60, 480, 1440)[number % 3],
            )
        )  # fmt: skip
        there, many = made.machines[firm.organisation_id], 40 if firm in large else made.random.randint(1, 12)
        begin = made.random.randrange(len(there) - many)
        machines.append(there[begin : begin + many])
    made.rules = stored(Rule, rules)
    made.named = {rule.pk: named for rule, named in zip(made.rules, machines, strict=True)}
    through = Rule.machines.through
    stored(
        through, [through(rule_id=pk, machine_id=machine.pk) for pk, named in made.named.items() for machine in named]
    )
    stored(RuleVersion, [_first_version(rule, made.named[rule.pk]) for rule in made.rules])


def _first_version(rule: Rule, named: list[Machine]) -> RuleVersion:
    terms = {"minutes": rule.max_minutes, "needs_approval": rule.needs_approval}
    added = [machine.public_id for machine in named]
    return RuleVersion(rule=rule, number=1, at=rule.created_at, terms=terms, added=added)


def _requests(made: Estate, size: Size) -> None:
    """Old ones with their grants for the sessions, then those whose grant is open now, then those that wait."""
    old, pending = size.sessions * 2 // 5, size.pending
    open_now = 3 * size.live
    requests, holding = [], [rule for rule in made.rules if rule.ended_at is None]
    for number in range(old + open_now + pending):
        rule = made.random.choice(holding)
        person = rule.person or made.random.choice(made.firm[rule.supplier_id or 0])
        began = made.now - YEARS * (1 - number / old) if number < old else made.now - timedelta(minutes=20)
        state = (
            "pending" if number >= old + open_now else "refused" if number < old and number % 10 == 9 else "approved"
        )
        requests.append(
            AccessRequest(
                organisation=rule.organisation, machine=made.random.choice(made.named[rule.pk]), person=person,
                rule=rule, reason=f"Order {number:06}: parameters after the change of format", minutes=60,
                made_at=began, state=state,
            )
        )  # fmt: skip
    stored(AccessRequest, requests)
    decided = [row for row in requests if row.state != "pending"]
    stored(
        Approval,
        [
            Approval(
                request=row, asked_by=row.person, decided_by=made.random.choice(made.staff[row.organisation_id]),
                approved=row.state == "approved", decided_at=row.made_at + timedelta(minutes=5),
            )
            for row in decided
        ],
    )  # fmt: skip
    made.grants = stored(Grant, [_grant(row) for row in decided if row.state == "approved"])


def _grant(row: AccessRequest) -> Grant:
    starts = row.made_at + timedelta(minutes=5)
    return Grant(
        organisation_id=row.organisation_id, request=row, rule=row.rule, person=row.person, machine=row.machine,
        starts_at=starts, ends_at=starts + timedelta(minutes=row.minutes),
    )  # fmt: skip
