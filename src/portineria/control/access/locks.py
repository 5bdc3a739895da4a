# SPDX-License-Identifier: Apache-2.0
"""Locking and lifting. Sessions that a lock meets are cut by remote_sessions, as with everything of security."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from portineria.control.access.models import Lock
from portineria.control.audit.services import record
from portineria.control.estate.models import Gateway, Line, Machine, Plant, Zone
from portineria.control.identity.authority import (
    Actor,
    DeniedHere,
    Operator,
    administers,
    organisation_of,
    require,
    works_here,
)
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Membership, Organisation, Person, Supplier
from portineria.control.identity.words import clean_words
from portineria.core.errors import Conflict, NotFound
from portineria.policy.ending import Locked

# Whoever works there may keep everybody from a machine; whom to keep out, and stopping everything, is the owners'.
_BY_ANYBODY_HERE = frozenset({Locked.MACHINE, Locked.LINE, Locked.ZONE, Locked.PLANT, Locked.GATEWAY})


class LockedAlready(Conflict):
    code = "access.lock.already"


class LiftedAlready(Conflict):
    code = "access.lock.lifted"


@transaction.atomic
def lock(*, actor: Actor, organisation: str, kind: Locked, thing: str = "", reason: str) -> Lock:
    """``thing``: id of what is locked; of a line or zone ``id of its plant/name``; empty for everything.

    Raise LockedAlready.
    """
    owner = organisation_of(actor, organisation)
    if kind in _BY_ANYBODY_HERE:
        require(actor, owner.pk, works_here, Power.LOCK)
    else:
        require(actor, owner.pk, administers)
    reason = clean_words(reason)
    # One after the other, or two would not see each other.
    Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)
    named = {} if kind is Locked.EVERYTHING else {kind.value: _found(owner, kind, thing)}
    every = Lock.objects.holding().filter(organisation=owner, **named)
    if any(row.kind is kind for row in every):
        raise LockedAlready(f"{kind} {thing} is locked already")
    row = Lock.objects.create(organisation=owner, reason=reason, made_by=_person(actor), **named)
    record("access.lock.set", actor=actor.public_id, reason=reason, **_fields(row))
    return row


@transaction.atomic
def lift(*, actor: Actor, lock: str, reason: str) -> Lock:
    """By the owners, whoever locked it; by a provider's people what theirs locked. What was cut stays cut.

    Raise LiftedAlready.
    """
    seen = Lock.objects.all() if isinstance(actor, Operator) else Lock.objects.visible_to(actor)
    row = seen.select_for_update(of=("self",), no_key=True).filter(public_id=lock).first()
    if row is None:
        raise NotFound(f"lock {lock}")
    require_lifting(actor, row)
    if not row.holds:
        raise LiftedAlready(f"lock {lock} was lifted already")
    row.lifted_at, row.lifted_by, row.lifted_reason = timezone.now(), _person(actor), clean_words(reason)
    row.save(update_fields=["lifted_at", "lifted_by", "lifted_reason"])
    record("access.lock.lifted", actor=actor.public_id, reason=row.lifted_reason, **_fields(row))
    return row


def require_lifting(actor: Actor, row: Lock) -> None:
    if isinstance(actor, Person) and actor.principal is not None and actor.holds(Power.LOCK, row.organisation_id):
        theirs = Membership.objects.filter(person=actor).values("delegation")
        if not Membership.objects.filter(person=row.made_by, delegation__in=theirs).exists():
            raise DeniedHere("whose lock it is lifts it", row.organisation_id)
        return
    require(actor, row.organisation_id, administers)


def _person(actor: Actor) -> Person | None:
    return actor if isinstance(actor, Person) else None


def _found(owner: Organisation, kind: Locked, thing: str) -> Any:
    plant, _, name = thing.partition("/")
    rows: Any = {
        Locked.PERSON: Person.objects.get_queryset().filter(memberships__organisation=owner, public_id=thing),
        Locked.SUPPLIER: Supplier.objects.filter(organisation=owner, public_id=thing),
        Locked.MACHINE: Machine.objects.filter(plant__organisation=owner, public_id=thing),
        Locked.LINE: Line.objects.filter(plant__organisation=owner, plant__public_id=plant, name=name),
        Locked.ZONE: Zone.objects.filter(plant__organisation=owner, plant__public_id=plant, name=name),
        Locked.PLANT: Plant.objects.filter(organisation=owner, public_id=thing),
        Locked.GATEWAY: Gateway.objects.filter(plant__organisation=owner, public_id=thing),
    }[kind]
    row = rows.first()
    if row is None:
        raise NotFound(f"{kind} {thing}")
    return row


def _fields(row: Lock) -> dict[str, Any]:
    """As an event says it."""
    place = row.line or row.zone
    return {
        "organisation": row.organisation.public_id,
        "lock": row.public_id,
        "kind": row.kind.value,
        "person": row.person.public_id if row.person else "",
        "supplier": row.supplier.public_id if row.supplier else "",
        "machine": row.machine.public_id if row.machine else "",
        "gateway": row.gateway.public_id if row.gateway else "",
        "plant": place.plant.public_id if place else row.plant.public_id if row.plant else "",
        "name": place.name if place else "",
    }
