# SPDX-License-Identifier: Apache-2.0
"""What whoever has a shell on the server does with people, suppliers and rules, by the names that people use."""

from portineria.control.access import services as access
from portineria.control.access.models import Rule
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Person, Supplier
from portineria.core.errors import Conflict, NotFound


class NobodyCalled(NotFound):
    code = "administration.nobody"


class NoSupplierCalled(NotFound):
    code = "administration.supplier"


class SeveralSuppliers(Conflict):
    code = "administration.suppliers"


def _person(email: str) -> Person:
    found = Person.objects.filter(email=email.strip().lower()).first()
    if found is None:
        raise NobodyCalled(f"nobody with the address {email!r} is entered here; nothing was changed")
    return found


def _supplier(name: str, organisation: str) -> Supplier:
    found = Supplier.objects.filter(name=" ".join(name.split())).select_related("organisation")
    rows = list(found.filter(organisation__name=organisation) if organisation else found)
    if not rows:
        raise NoSupplierCalled(f"no supplier is called {name!r}; nothing was changed")
    if len(rows) > 1:
        names = ", ".join(sorted(row.organisation.name for row in rows))
        raise SeveralSuppliers(f"several organisations have a supplier {name!r}: say --organisation, one of {names}")
    return rows[0]


def set_person_enabled(email: str, *, enabled: bool, reason: str) -> Person:
    """Raise NobodyCalled, Conflict when it is so already, LastAdministrator."""
    person = _person(email).public_id
    return identity.set_person_enabled(actor=Operator(), person=person, enabled=enabled, reason=reason)


def reset_second_factor(email: str, *, reason: str) -> Person:
    person = _person(email)
    identity.reset_second_factor(actor=Operator(), person=person.public_id, reason=reason)
    return person


def erase_person(email: str) -> int:
    """Return how many personal values of the register were destroyed."""
    return identity.erase_person(actor=Operator(), person=_person(email).public_id)


def set_supplier_enabled(name: str, *, organisation: str = "", enabled: bool, reason: str) -> Supplier:
    supplier = _supplier(name, organisation).public_id
    return identity.set_supplier_enabled(actor=Operator(), supplier=supplier, enabled=enabled, reason=reason)


def rules() -> list[Rule]:
    """All that hold, of all organisations."""
    rows = Rule.objects.holding().select_related("organisation", "supplier", "person").prefetch_related("machines")
    return list(rows.order_by("organisation__name", "pk"))


def end_rule(rule: str, *, reason: str) -> Rule:
    return access.end_rule(actor=Operator(), rule=rule, reason=reason)
