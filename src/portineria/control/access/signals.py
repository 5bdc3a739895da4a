# SPDX-License-Identifier: Apache-2.0
"""Adding and removing consent signals, and keeping what they are now."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from portineria.control.access.models import Signal, SignalQuerySet, SignalState
from portineria.control.access.signal import NAME, SignalSourceKind
from portineria.control.audit.services import record
from portineria.control.estate.models import Gateway, Line, Machine
from portineria.control.identity.authority import SYSTEM, administers, organisation_of, require
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.services import BadField, NameTaken, clean_name
from portineria.control.identity.words import clean_words
from portineria.core.errors import Conflict, NotFound, ProtocolError
from portineria.policy.consent import SignalKind
from portineria.protocols.opcua.binary import Reader
from portineria.protocols.opcua.reading import node_id
from portineria.wire.statement import SIGNALS

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class TooManySignals(Conflict):
    code = "access.signal.many"


class SignalRemoved(Conflict):
    code = "access.signal.removed"


@dataclass(frozen=True, slots=True)
class Where:
    """Where a signal is read. ``place``: name of a file in the gateway's folder, or an OPC UA node id; ``number``: of a
    coil or discrete input, counted from 0, of ``unit``.
    """

    source: str
    address: str = ""
    port: int = 0
    unit: int = 0
    number: int = 0
    place: str = ""
    inverted: bool = False

    def cleaned(self) -> "Where":
        """Nothing but what its kind needs. Raise BadField."""
        if self.source not in SignalSourceKind.values:
            raise BadField("source", "a file, a coil, a discrete input or a node")
        if self.source == SignalSourceKind.FILE:
            if not _FILE.fullmatch(self.place):
                raise BadField("file_name", "letters, digits, dots, hyphens")
            return Where(self.source, place=self.place, inverted=self.inverted)
        address = _address(self.address)
        if not 1 <= self.port <= 65535:
            raise BadField("port", "1 to 65535")
        if self.source == SignalSourceKind.NODE:
            return Where(self.source, address, self.port, place=_node(self.place), inverted=self.inverted)
        if not (0 <= self.unit <= 255 and 0 <= self.number <= 65535):
            raise BadField("coil", "unit 0 to 255, number 0 to 65535")
        return Where(self.source, address, self.port, self.unit, self.number, inverted=self.inverted)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        raise BadField("address", "an IP address") from None


def _node(text: str) -> str:
    """In the one form in which an inspected request names it too."""
    try:
        return Reader(node_id(text.strip())).node()
    except ProtocolError as error:
        raise BadField("node", str(error)) from error


@transaction.atomic
def add_signal(
    *, actor: Person, organisation: str, kind: str, name: str, where: Where, machine: str = "", line: str = "",
    gateway: str = "",
) -> Signal:  # fmt: skip
    """Of a machine, by id, read by its gateway unless another of the plant is named; or of a line, as ``id of its
    plant/name``, by the gateway that is named. Raise BadField, NameTaken, TooManySignals.
    """
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    if kind not in set(SignalKind):
        raise BadField("signal_kind", "one that is known")
    if bool(machine) == bool(line):
        raise BadField("place", "either a machine or a line")
    name, where = clean_name(name, "signal", characters=NAME), where.cleaned()
    Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)  # one after the other
    on: dict[str, Any] = {"machine": _machine(owner, machine)} if machine else {"line": _line(owner, line)}
    reader = _gateway(on, gateway)
    if Signal.objects.standing().filter(name=name, **on).exists():
        raise NameTaken(f"signal {name!r}")
    if Signal.objects.standing().filter(gateway=reader).count() >= SIGNALS:
        raise TooManySignals(f"gateway {reader.public_id} reads {SIGNALS} signals")
    row = Signal.objects.create(
        organisation=owner, gateway=reader, kind=kind, name=name, source=where.source, address=where.address,
        port=where.port, unit=where.unit, number=where.number, place=where.place, inverted=where.inverted,
        added_by=actor, **on,
    )  # fmt: skip
    _record("added", row, actor.public_id, kind=row.kind, source=row.source, address=_where_text(row))
    return row


@transaction.atomic
def remove_signal(*, actor: Person, signal: str, reason: str) -> Signal:
    """Rules that ask for one of its kind have one less there, and open nothing where it was the last."""
    rows: SignalQuerySet = Signal.objects.visible_to(actor)
    row = rows.select_for_update(of=("self",), no_key=True).filter(public_id=signal).first()
    if row is None:
        raise NotFound(f"signal {signal}")
    require(actor, row.organisation_id, administers)
    if row.removed_at is not None:
        raise SignalRemoved(f"signal {signal} is removed already")
    reason = clean_words(reason)
    row.removed_at, row.removed_by = timezone.now(), actor
    row.save(update_fields=["removed_at", "removed_by"])
    _record("removed", row, actor.public_id, reason=reason)
    return row


def unheard_all() -> None:
    """At start: what was on may not be any more."""
    Signal.objects.standing().filter(state=SignalState.ON).update(state=SignalState.UNHEARD)


@transaction.atomic
def note_signals(found: Mapping[int, tuple[SignalState, str]]) -> int:
    """Key → what it is from now on, and why it cannot be read. Return how many changed: only those are events."""
    rows = Signal.objects.standing().filter(pk__in=found).select_for_update(of=("self",), no_key=True)
    changed = 0
    for row in rows.select_related("organisation").order_by("organisation_id", "pk"):
        state, fault = found[row.pk]
        if (row.state, row.fault) == (state, fault):
            continue
        said, row.fault = row.state != state, fault
        if said:
            row.state, row.state_at = state, timezone.now()
            changed += 1
        row.save(update_fields=["state", "state_at", "fault"])
        if said:
            _record("changed", row, SYSTEM, standing=state.value, why=fault)
    return changed


def _machine(owner: Organisation, public_id: str) -> Machine:
    rows = Machine.objects.select_related("gateway").filter(plant__organisation=owner, public_id=public_id)
    if (found := rows.first()) is None:
        raise NotFound(f"machine {public_id}")
    return found


def _line(owner: Organisation, text: str) -> Line:
    plant, _, name = text.partition("/")
    found = Line.objects.filter(plant__organisation=owner, plant__public_id=plant, name=name).first()
    if found is None:
        raise NotFound(f"line {text}")
    return found


def _gateway(on: Mapping[str, Any], public_id: str) -> Gateway:
    if not public_id and "machine" in on:
        gateway: Gateway = on["machine"].gateway
        return gateway
    plant = (on.get("machine") or on["line"]).plant_id
    found = Gateway.objects.filter(plant=plant, public_id=public_id).first()
    if found is None:
        raise NotFound(f"gateway {public_id}")
    return found


def _where_text(row: Signal) -> str:
    if row.source == SignalSourceKind.FILE:
        return row.place
    what = row.place or f"unit {row.unit} {row.number}"
    return f"{row.address}:{row.port} {what}"


def _record(what: str, row: Signal, actor: str, **fields: Any) -> None:
    record(
        f"access.signal.{what}",
        organisation=row.organisation.public_id,
        actor=actor,
        signal=row.public_id,
        machine=row.machine.public_id if row.machine else "",
        gateway=row.gateway.public_id,
        name=row.name,
        **fields,
    )
