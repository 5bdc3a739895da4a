# SPDX-License-Identifier: Apache-2.0
"""People and suppliers as the page of them shows them."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from portineria.control.identity.models import Membership, Person, Supplier
from portineria.control.identity.unused import SHOWN, closes_at, last_use


@dataclass(frozen=True, slots=True)
class MemberRow:
    membership: Membership
    actor: Person

    @property
    def person(self) -> Person:
        return self.membership.person

    @property
    def shown_state(self) -> str:
        supplier = self.membership.supplier
        if not self.person.enabled:
            return "locked"
        if supplier is not None and not supplier.enabled:
            return "supplier-locked"
        by_provider = self.membership.given_by_id is not None
        comes = by_provider or self.person.is_service or self.person.has_usable_password()
        return "active" if comes else "invited"

    @property
    def unused_since(self) -> datetime | None:
        """Whoever comes at least once a month is not counted by the day."""
        last = last_use(self.membership)
        return last if self.person.enabled and timezone.now() - last > SHOWN else None

    @property
    def mine(self) -> bool:
        return self.person.pk == self.actor.pk

    @property
    def may_change(self) -> bool:
        """Nobody locks or invites themselves."""
        return not self.mine and administers(self.actor, self.membership.organisation_id)


@dataclass(frozen=True, slots=True)
class UnusedRow:
    """``spared``: they have an emergency role, with which nothing closes."""

    membership: Membership
    spared: bool

    @property
    def since(self) -> datetime:
        return last_use(self.membership)

    @property
    def closes_at(self) -> datetime | None:
        return None if self.spared else closes_at(self.membership, timezone.now())


@dataclass(frozen=True, slots=True)
class SupplierRow:
    supplier: Supplier
    people: int
    actor: Person

    @property
    def shown_state(self) -> str:
        return "active" if self.supplier.enabled else "locked"

    @property
    def may_change(self) -> bool:
        return administers(self.actor, self.supplier.organisation_id)


def administers(actor: Person, organisation_id: int) -> bool:
    role = actor.role_in(organisation_id)
    return role is not None and role.administers
