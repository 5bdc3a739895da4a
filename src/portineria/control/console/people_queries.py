# SPDX-License-Identifier: Apache-2.0
"""People and suppliers as the page of them shows them."""

from dataclasses import dataclass

from portineria.control.identity.models import Membership, Person, Supplier


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
    def mine(self) -> bool:
        return self.person.pk == self.actor.pk

    @property
    def may_change(self) -> bool:
        """Nobody locks or invites themselves."""
        return not self.mine and administers(self.actor, self.membership.organisation_id)


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
