# SPDX-License-Identifier: Apache-2.0
"""Who may do what by role. What one may not see is not found; what one sees and may not do is denied."""

from collections.abc import Callable
from dataclasses import dataclass

from portineria.control.identity.delegation_models import BUILDS_ON, Power
from portineria.control.identity.models import Organisation, Person, Role
from portineria.core.errors import Denied, NotFound


@dataclass(frozen=True, slots=True)
class Operator:
    """Whoever has a shell on the server: sets the installation up, and rescues it."""

    public_id: str = "operator"


Actor = Person | Operator
SYSTEM = "portineria"  # the actor of what happens by itself: windows that end, gateways that connect


def administers(role: Role) -> bool:
    return role.administers


def approves(role: Role) -> bool:
    return role.approves


def works_here(role: Role) -> bool:
    return role.staff


class DeniedHere(Denied):
    """By the rules of one organisation: its ledger is told, no other."""

    def __init__(self, why: str, organisation_id: int) -> None:
        super().__init__(why)
        self.organisation_id = organisation_id


def permitted(actor: Person, organisation_id: int, may: Callable[[Role], bool], power: Power | None = None) -> bool:
    """By a role there, or by what was delegated."""
    role = actor.role_in(organisation_id)
    if role is Role.ANALYST:
        return power is not None and actor.holds(power, organisation_id)
    return role is not None and may(role)


def require(actor: Actor, organisation_id: int, may: Callable[[Role], bool], power: Power | None = None) -> None:
    """Raise NotFound for strangers and technicians, who see no estate, and Denied for staff of a lesser role.

    ``power``: by which an analyst may do it too; without one, and without sight of what it is about, there is nothing.
    """
    if isinstance(actor, Operator) or permitted(actor, organisation_id, may, power):
        return
    role = actor.role_in(organisation_id)
    if role is Role.ANALYST and power in BUILDS_ON and actor.holds(BUILDS_ON[power], organisation_id):
        raise DeniedHere(f"{power.value} was not delegated", organisation_id)
    if role is None or not role.staff:
        raise NotFound(f"organisation {organisation_id}")
    raise DeniedHere(f"{role.value} may not do this", organisation_id)


def organisation_of(actor: Actor, public_id: str) -> Organisation:
    mine = actor.member_of if isinstance(actor, Person) else None  # first: time tells nobody what there is
    found = Organisation.objects.filter(public_id=public_id).first()
    if found is None or (mine is not None and found.pk not in mine):
        raise NotFound(f"organisation {public_id}")
    return found
