# SPDX-License-Identifier: Apache-2.0
"""Stepping inside a customer: an act of its own, which the customer's register has."""

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.identity.delegation_models import Delegation
from portineria.control.identity.inside import customers, own
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.pseudonyms import name_of, pseudonym
from portineria.control.identity.services import SERVICE_DOMAIN
from portineria.core.errors import Conflict, NotFound


class OwnCustomer(Conflict):
    code = "identity.delegation.own-customer"


@transaction.atomic
def enter(*, actor: Person, customer: str) -> Delegation:
    """Step inside: from here on the customer's register knows the analyst. Raise NotFound, OwnCustomer."""
    them = own(actor)
    row = customers(them).filter(organisation__public_id=customer).first()
    if row is None:
        raise NotFound(f"customer {customer}")
    if row.organisation_id in them.member_of:
        raise OwnCustomer("whoever belongs to the customer acts there under their own name")
    public_id = pseudonym(row, them)
    analyst = Person.objects.filter(public_id=public_id).first()
    if analyst is None:
        analyst = Person(public_id=public_id, name=name_of(row, public_id), email=public_id + SERVICE_DOMAIN)
        analyst.is_service = True
        analyst.set_unusable_password()
        analyst.save()
        Membership.objects.create(person=analyst, organisation=row.organisation, role=Role.ANALYST, delegation=row)
    record(
        "identity.delegation.entered", organisation=customer, actor=public_id, about=public_id, person=public_id,
        delegation=row.public_id, provider_organisation=row.provider.public_id, provider_name=row.provider.name,
    )  # fmt: skip
    return row
