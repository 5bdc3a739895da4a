# SPDX-License-Identifier: Apache-2.0
"""Whether somebody could set a consent signal by another permission than the one that asks for it: one for another
machine, through which the device is reached at which this machine's signal is read.

It is answered rather yes than no: whatever they hold at the moment counts, also while its own windows are closed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any, NamedTuple

from django.db.models import QuerySet

from portineria.control.access.models import FunctionProfile, Grant, Rule, Signal
from portineria.control.access.naming import rules_by_machine
from portineria.control.access.only_services import named, named_by_both
from portineria.control.estate.models import Machine, Service
from portineria.control.kept_query import KeptValues
from portineria.policy.consent import Opened, Reading, set_by
from portineria.policy.proof_level import decoder_of


class Way(NamedTuple):
    """What one permission opens at one machine. ``profiles``: all that have to admit an operation."""

    plant: int
    opened: list[Opened]
    profiles: list[FunctionProfile]

    def sets(self, reading: Reading) -> bool:
        return set_by(reading, self.opened, [row.profile for row in self.profiles]) is not None


def _held_rows(people: Collection[int], since: datetime) -> "QuerySet[Grant, tuple[Any, ...]]":
    live = Grant.objects.filter(
        person__in=people, revoked_at__isnull=True, ends_at__gt=since, rule__ended_at__isnull=True
    )
    return live.values_list("pk", "starts_at", "machine__devices__address").order_by()


_held_statement = KeptValues(_held_rows)


def ways_of(people: Collection[int], signals: Iterable[Signal], at: datetime) -> Mapping[int, list[Way]]:
    """Person → what they hold that reaches a device at which one of these is read. No query where no session could
    reach one; one where nobody holds anything of the sort, three otherwise.
    """
    addresses = {signal.address for signal in signals if signal.reading.protocol}
    if not people or not addresses:
        return {}
    rows = _held_statement.all(people, at)
    near = {pk for pk, starts, address in rows if address in addresses and starts <= at}
    if not near:
        return {}
    held = Grant.objects.filter(pk__in=near).select_related("rule__profile", "profile", "narrower", "machine")
    return _ways(list(held.order_by("pk")))


def _ways(grants: list[Grant]) -> Mapping[int, list[Way]]:
    services = services_by_machine({grant.machine_id for grant in grants})
    found: dict[int, list[Way]] = defaultdict(list)
    for grant in grants:
        held = [row for row in (grant.profile, grant.rule.profile, grant.narrower) if row is not None]
        kept = named_by_both(grant, services.get(grant.machine_id, ()))
        opened = opened_by(kept, only_decoded=bool(held) or grant.rule.only_decoded)
        found[grant.person_id].append(Way(grant.machine.plant_id, opened, held))
    return found


def sets_otherwise(reading: Reading, plant: int, ways: Iterable[Way]) -> bool:
    """The same address in another plant is another device."""
    return any(way.plant == plant and way.sets(reading) for way in ways)


def rules_beside(rule: Rule, machines: Iterable[Machine], readings: Iterable[Reading]) -> list[Way]:
    """What other rules would open for those whom this one names, at the devices where these are read."""
    addresses = {reading.address for reading in readings if reading.protocol}
    if not addresses:
        return []
    near = Machine.objects.filter(plant__in={machine.plant_id for machine in machines}, devices__address__in=addresses)
    rows = list(near.select_related("plant", "line").distinct().order_by("pk"))
    whom = {"supplier": rule.supplier_id, "person": rule.person_id, "group": rule.group_id}
    others = Rule.objects.ordinary().holding().filter(**whom).exclude(pk=rule.pk).select_related("profile")
    services = services_by_machine({machine.pk for machine in rows})
    by_machine = rules_by_machine(rows, others)
    return [
        Way(machine.plant_id, opened_by(named(other.only_services, services.get(machine.pk, ())),
                                        only_decoded=other.profile is not None or other.only_decoded),
            [other.profile] if other.profile else [])
        for machine in rows
        for other in by_machine.get(machine.pk, ())
    ]  # fmt: skip


def opened_by(services: Iterable[Service], *, only_decoded: bool) -> list[Opened]:
    return list(_opened(services, only_decoded=only_decoded))


def _opened(services: Iterable[Service], *, only_decoded: bool) -> Iterator[Opened]:
    for service in services:
        decoder = decoder_of(service.protocol)
        if decoder is not None or not only_decoded:
            yield Opened(str(ip_address(service.device.address)), decoder.name if decoder else "")


def services_by_machine(machines: Iterable[int]) -> dict[int, list[Service]]:
    found: dict[int, list[Service]] = defaultdict(list)
    for row in Service.objects.filter(device__machine__in=set(machines)).select_related("device").order_by("pk"):
        found[row.device.machine_id].append(row)
    return found
