# SPDX-License-Identifier: Apache-2.0
"""What was tried and refused, in the registers of those whom it concerns."""

from django.db import transaction

from portineria.control.audit import services as audit
from portineria.control.identity.models import Installation, Person
from portineria.control.identity.services import homes_first, record_for_person


@transaction.atomic
def record_failed_sign_in(*, email: str, address: str) -> None:
    person = Person.objects.filter(email=email.strip().lower()).first()
    known = homes_first(person) if person else []
    about = person.public_id if person else "unknown"
    for organisation, home in known or [(Installation.objects.get().public_id, True)]:
        audit.record(
            "identity.person.sign-in-failed",
            organisation=organisation,
            actor=about,
            about=about,
            email=email[:254],
            address=address if home else "",
        )


@transaction.atomic
def record_denial(*, actor: Person, why: str, what: str, address: str, organisation_id: int | None = None) -> None:
    """Called by the one handler, after the transaction that was refused is rolled back.

    ``organisation_id``: whose thing it was, the only one that is told. When nobody knows, somebody of several
    organisations is recorded in each of them, without what they asked for there or elsewhere.
    """
    if actor.principal is not None:
        address = ""  # it would say who is behind a pseudonym
    concerned = list(actor.memberships.select_related("organisation"))
    if organisation_id is not None:
        concerned = [row for row in concerned if row.organisation_id == organisation_id]
    if len(concerned) == 1:
        audit.record(
            "identity.attempt.denied",
            organisation=concerned[0].organisation.public_id,
            actor=actor.public_id,
            person=actor.public_id,
            why=why,
            what=what,
            address=address,
        )
        return
    record_for_person("identity.attempt.denied", actor, why=why, what=what.split(" ")[0], address=address)
