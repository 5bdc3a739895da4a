# SPDX-License-Identifier: Apache-2.0
"""Suppliers and people: let in by the operator of the server, or by the administrator who applies a template."""

from functools import partial

from portineria.control.declaration.document import Declaration, DeclaredPerson
from portineria.control.declaration.plan import Plan, Work
from portineria.control.declaration.present import Present
from portineria.control.identity import first_run, offers, services
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Membership, Person, Role

_WHY = "declared otherwise"


def plan_people(declaration: Declaration, present: Present, plan: Plan) -> None:
    for i, supplier in enumerate(declaration.supplier):
        row = present.suppliers.get(supplier.name)
        if row is None:
            plan.add(f"supplier[{i}]", f"supplier {supplier.name}", partial(_make_supplier, name=supplier.name))
        elif not row.enabled:
            plan.kept.append(f"supplier {supplier.name} stays disabled")
    for i, person in enumerate(declaration.person):
        if person.supplier is not None and not _knows(declaration, present, person.supplier):
            plan.faults.append(f"person[{i}].supplier: there is no supplier {person.supplier}")
        if person.email not in present.members:
            _plan_newcomer(f"person[{i}]", person, present, plan)
    # Whoever becomes an administrator does so before somebody else stops being one.
    known = [(f"person[{i}]", person) for i, person in enumerate(declaration.person) if person.email in present.members]
    for place, person in sorted(known, key=lambda one: one[1].role != Role.ADMINISTRATOR):
        _plan_member(place, person, present, plan)
    declared = {person.email for person in declaration.person}
    firms = {supplier.name for supplier in declaration.supplier}
    plan.untouched += [f"supplier {name}" for name in present.suppliers if name not in firms]
    plan.untouched += [f"person {email}" for email in present.members if email not in declared]


def _knows(declaration: Declaration, present: Present, supplier: str) -> bool:
    return supplier in present.suppliers or any(supplier == declared.name for declared in declaration.supplier)


def _what(role: str, supplier: str | None) -> str:
    return f"{role} of {supplier}" if supplier else role


def _plan_newcomer(place: str, person: DeclaredPerson, present: Present, plan: Plan) -> None:
    asked = offers.pending(present.organisation, person.email)
    if asked is not None and (asked.role, asked.supplier and asked.supplier.name) == (person.role, person.supplier):
        plan.waiting.append(f"person {person.email} was asked and has not answered")
        return
    text = f"person {person.email}: {person.name}, {_what(person.role, person.supplier)}"
    # Asked without visible_to: one address is one person in the whole installation. Who runs it is told so, and nobody
    # else before they ask that person.
    elsewhere = Person.objects.filter(email=person.email).first()
    if elsewhere is not None and isinstance(plan.by, Operator):
        text += "; is known here already and asked first, under My account"
    plan.add(place, text, partial(_take_in, person=person, invited=elsewhere is None))


def _plan_member(place: str, person: DeclaredPerson, present: Present, plan: Plan) -> None:
    member = present.members[person.email]
    row, firm = member.person, member.supplier.name if member.supplier else None
    if (member.role, firm) != (person.role, person.supplier):
        if row.pk == present.actor.pk:
            plan.faults.append(f"{place}.role: whoever acts does not change their own; name somebody else with --as")
            return
        text = f"person {person.email}: {_what(member.role, firm)} → {_what(person.role, person.supplier)}"
        plan.change(place, text, partial(_change_member, person=person))
    language = person.language or row.language
    if (row.name, row.language, row.time_zone) != (person.name, language, person.time_zone):
        plan.kept.append(f"person {person.email} keeps the name, language and time zone of their own account")
    if not row.enabled:
        plan.kept.append(f"person {person.email} stays disabled")


def role_after(declaration: Declaration, member: Membership | None, email: str) -> Role | None:
    """None for somebody who belongs neither to the declaration nor to the organisation."""
    declared = next((Role(person.role) for person in declaration.person if person.email == email), None)
    return declared or (Role(member.role) if member else None)


def _make_supplier(work: Work, *, name: str) -> None:
    made = services.create_supplier(actor=work.by, organisation=work.organisation, name=name)
    work.ids["supplier", name] = made.public_id


def _take_in(work: Work, *, person: DeclaredPerson, invited: bool, consented: bool = False) -> None:
    made = services.create_person(
        actor=work.by,
        organisation=work.organisation,
        name=person.name,
        email=person.email,
        role=Role(person.role),
        supplier=work.ids["supplier", person.supplier] if person.supplier else "",
        language=person.language or "",
        time_zone=person.time_zone,
        consented=consented,
    )
    work.ids["person", person.email] = made.public_id
    if invited:
        work.invitations[person.email] = first_run.invite(actor=work.by, person=made.public_id)


def _change_member(work: Work, *, person: DeclaredPerson) -> None:
    """A role is never altered: the old membership ends in the ledger, another begins."""
    services.end_membership(
        actor=work.by, person=work.ids["person", person.email], organisation=work.organisation, reason=_WHY
    )
    _take_in(work, person=person, invited=False, consented=True)
