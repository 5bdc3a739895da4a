# SPDX-License-Identifier: Apache-2.0
"""What whoever has a shell on the server does with people, suppliers and rules, by the names that people use."""

from collections.abc import Iterator
from dataclasses import dataclass

from portineria.control.access import services as access
from portineria.control.access.models import Rule
from portineria.control.access.places import PLACES
from portineria.control.audit.cosigning import Lag, lags
from portineria.control.audit.exporting import checkpoint_line, newest_of
from portineria.control.audit.services import BrokenChain
from portineria.control.audit.verification import chained_organisations, verify_chain
from portineria.control.identity import register, way_back
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Installation, Organisation, Person, Supplier
from portineria.control.identity.register import signers_here
from portineria.control.settings.start import current
from portineria.core.errors import Conflict, Invalid, NotFound
from portineria.ledger.note import VerifierKey


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
    way_back.reset_second_factor(actor=Operator(), person=person.public_id, reason=reason)
    return person


def invite_again(email: str, *, reason: str) -> tuple[Person, str]:
    """Return the person, and the full address where a new password is set; raise LockedOut."""
    person = _person(email)
    path = way_back.invite_again(actor=Operator(), person=person.public_id, reason=reason)
    return person, current().public_url.rstrip("/") + path


def erase_person(email: str) -> int:
    """Return how many personal values of the register were destroyed."""
    return identity.erase_person(actor=Operator(), person=_person(email).public_id)


def set_supplier_enabled(name: str, *, organisation: str = "", enabled: bool, reason: str) -> Supplier:
    supplier = _supplier(name, organisation).public_id
    return identity.set_supplier_enabled(actor=Operator(), supplier=supplier, enabled=enabled, reason=reason)


def rules() -> list[Rule]:
    """All that hold, of all organisations."""
    rows = (
        Rule.objects.ordinary()
        .holding()
        .select_related("organisation", "supplier", "person")
        .prefetch_related("machines", PLACES)
    )
    return list(rows.order_by("organisation__name", "pk"))


def end_rule(rule: str, *, reason: str) -> Rule:
    return access.end_rule(actor=Operator(), rule=rule, reason=reason)


class WhichRegister(Invalid):
    code = "administration.register"


def register_called(organisation: str) -> str:
    """The id of the organisation with this name or id; may be empty where there is one. Raise WhichRegister."""
    rows = dict(Organisation.objects.order_by("name").values_list("public_id", "name"))
    installation = Installation.objects.get(pk=1).public_id
    if organisation == installation:
        return installation
    found = [public_id for public_id, name in rows.items() if organisation in ("", public_id, name)]
    if len(found) != 1:
        names = ", ".join([*rows.values(), f"{installation} (this installation's own)"])
        raise WhichRegister(f"say --organisation, one of: {names}")
    return found[0]


def organisation_called(organisation: str) -> Organisation:
    """The same, of an asset owner. Raise WhichRegister, NobodyCalled for the installation itself."""
    found = Organisation.objects.filter(public_id=register_called(organisation)).first()
    if found is None:
        raise NobodyCalled("the installation itself has no recordings: say --organisation")
    return found


def export_register(organisation: str, first: int) -> Iterator[bytes]:
    return register.export_register(actor=Operator(), organisation=organisation, first=first)


def prove_event(organisation: str, seq: int) -> bytes:
    return register.prove_event(actor=Operator(), organisation=organisation, seq=seq)


def newest_note(organisation: str) -> str:
    """Raise BrokenChain for what must not be sealed."""
    register.seal_to_the_end(organisation)
    return checkpoint_line(newest_of(organisation)).note


def register_key(organisation: str) -> VerifierKey:
    """By which a witness knows this register's checkpoints."""
    return register.Seal().key(organisation)


def witness_lags() -> list[Lag]:
    return lags([place.key for place in current().witness_places()])


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of one organisation's chain of events; ``fault`` names the first one that does not fit."""

    name: str
    events: int = 0
    fault: str = ""


def verify_ledger() -> Iterator[Verified]:
    """Of every organisation, and of the installation itself; each has an event of its own making, so none is empty."""
    names = dict(Organisation.objects.order_by("name").values_list("public_id", "name"))
    names |= dict.fromkeys(Installation.objects.values_list("public_id", flat=True), "this installation")
    names |= {public_id: public_id for public_id in sorted(chained_organisations() - names.keys())}
    for public_id, name in names.items():
        try:
            count = verify_chain(public_id, signers_here(public_id).check)
        except BrokenChain as broken:
            yield Verified(name, fault=str(broken))
        else:
            yield Verified(name, count, "" if count else f"event {public_id}/1: it is missing, with all that followed")
