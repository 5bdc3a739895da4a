# SPDX-License-Identifier: Apache-2.0
"""Suppliers and people: let in by the operator of the server, or by the administrator who applies a template."""

from functools import partial

from msgspec.structs import replace

from portineria.control.declaration.document import Declaration, DeclaredPerson
from portineria.control.declaration.plan import Plan, Work
from portineria.control.declaration.present import Present
from portineria.control.identity import first_run, offers, services, sponsoring
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import STAFF_PEOPLE, Membership, Person, Role

_WHY = "declared otherwise"


def plan_people(declaration: Declaration, present: Present, plan: Plan) -> None:
    for i, supplier in enumerate(declaration.supplier):
        row = present.suppliers.get(supplier.name)
        if row is None:
            plan.add(f"supplier[{i}]", f"supplier {supplier.name}", partial(_make_supplier, name=supplier.name))
        elif not row.enabled:
            plan.kept.append(f"supplier {supplier.name} stays disabled")
    # Whoever answers for somebody is there before them.
    for i, person in sorted(enumerate(declaration.person), key=lambda one: one[1].supplier is not None):
        if person.supplier is not None and not _knows(declaration, present, person.supplier):
            plan.faults.append(f"person[{i}].supplier: there is no supplier {person.supplier}")
        _check_sponsor(f"person[{i}].sponsor", person.sponsor, declaration, present, plan)
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


def _check_sponsor(
    place: str, sponsor: str | None, declaration: Declaration, present: Present, plan: Plan
) -> None:  # fmt: skip
    role = role_after(declaration, present.members.get(sponsor), sponsor) if sponsor else None
    if sponsor and role not in STAFF_PEOPLE:
        plan.faults.append(f"{place}: {sponsor} is not one of the organisation's own people")


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
        plan.change(place, text, partial(_change_member, person=person, before=member))
    else:
        _plan_stay(place, person, member, plan)
    language = person.language or row.language
    if (row.name, row.language, row.time_zone) != (person.name, language, person.time_zone):
        plan.kept.append(f"person {person.email} keeps the name, language and time zone of their own account")
    if not row.enabled:
        plan.kept.append(f"person {person.email} stays disabled")


def _plan_stay(place: str, person: DeclaredPerson, member: Membership, plan: Plan) -> None:
    """What is left out stays as it is."""
    sponsor = member.sponsor.email if member.sponsor else None
    if person.until is not None and person.until != member.last_day:
        text = f"person {person.email}: until {member.last_day or '—'} → {person.until}"
        plan.change(place, text, partial(_prolong, person=person))
    if person.sponsor is not None and person.sponsor != sponsor:
        text = f"person {person.email}: {sponsor or 'nobody'} → {person.sponsor} answers for them"
        plan.change(place, text, partial(_sponsor, person=person))


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
        sponsor=work.ids["person", person.sponsor] if person.sponsor else "",
        until=person.until,
    )
    work.ids["person", person.email] = made.public_id
    if invited:
        work.invitations[person.email] = first_run.invite(actor=work.by, person=made.public_id)


def _prolong(work: Work, *, person: DeclaredPerson) -> None:
    whose = {"organisation": work.organisation, "person": work.ids["person", person.email]}
    sponsoring.prolong(actor=work.by, **whose, until=person.until)


def _sponsor(work: Work, *, person: DeclaredPerson) -> None:
    whose = {"organisation": work.organisation, "person": work.ids["person", person.email]}
    sponsoring.set_sponsor(actor=work.by, **whose, sponsor=work.ids["person", person.sponsor or ""])


def _change_member(work: Work, *, person: DeclaredPerson, before: Membership) -> None:
    """A role is never altered: the old membership ends in the ledger, another begins. Whoever answered goes on."""
    if person.supplier and not person.sponsor and before.sponsor and ("person", before.sponsor.email) in work.ids:
        person = replace(person, sponsor=before.sponsor.email)
    services.end_membership(
        actor=work.by, person=work.ids["person", person.email], organisation=work.organisation, reason=_WHY
    )
    _take_in(work, person=person, invited=False, consented=True)
