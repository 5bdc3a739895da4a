# SPDX-License-Identifier: Apache-2.0
"""Inside a customer: a provider's person who has chosen one acts there, and nowhere else, as their analyst.

Which customer it is stands in the browser's session, or in a header of a program. What they may is asked anew with
every request: a delegation that ended leaves nothing, not even a hint that there was something.
"""

from django.utils import timezone

from portineria.control.identity.delegation_models import Delegation, DelegationQuerySet, Power
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.pseudonyms import pseudonym
from portineria.core.errors import NotFound

INSIDE = "portineria.inside"  # in a browser's session: the customer's id
HEADER = "Portineria-Inside"


def customers(actor: Person) -> DelegationQuerySet:
    """What holds now and was delegated to the actor's own people."""
    them = own(actor)
    there = [] if them.is_service else them.staff_of
    rows = Delegation.objects.holding(timezone.now()).filter(provider__in=there)
    return rows.select_related("organisation", "provider").order_by("organisation__name", "pk")


def own(actor: Person) -> Person:
    """Whoever they are at home."""
    return actor.principal or actor


def acting(person: Person, customer: str) -> Person | None:
    """As whom they act inside this customer now; None where they do not any more, for whatever reason."""
    row = customers(person).filter(organisation__public_id=customer).first()
    if row is None or row.organisation_id in person.member_of:
        return None
    analyst = Person.objects.filter(public_id=pseudonym(row, person), disabled_at__isnull=True).first()
    if analyst is None:
        return None
    analyst.principal = person
    analyst.language, analyst.time_zone = person.language, person.time_zone  # in memory: what they read
    # Of whichever kind: a provider's own sign-in is its own matter, and so are its people.
    analyst.__dict__["has_second_factor"] = person.has_second_factor or person.has_provided_factor
    return analyst if any(analyst.sees(power) for power in Power) else None


def across(person: Person) -> Person:
    """Somebody who sees what all customers delegated, for counting over them; in memory, and nobody acts as them."""
    everywhere = Person(name=person.name)
    everywhere.principal = person
    everywhere.__dict__["_memberships"] = [
        Membership(organisation=row.organisation, role=Role.ANALYST, delegation=row)
        for row in customers(person)
        if row.organisation_id not in person.member_of
    ]
    return everywhere


def chosen(analyst: Person) -> Delegation:
    """On what an analyst rests. Raise NotFound."""
    row = Membership.objects.filter(person=analyst, role=Role.ANALYST).select_related(
        "delegation__organisation", "delegation__provider"
    ).first()  # fmt: skip
    if row is None or row.delegation is None:
        raise NotFound(f"{analyst.public_id} is no analyst")
    return row.delegation
