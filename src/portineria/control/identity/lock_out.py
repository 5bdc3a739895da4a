# SPDX-License-Identifier: Apache-2.0
from django.db import transaction

from portineria.control.identity.models import Person
from portineria.control.identity.services import PersonElsewhere, end_membership, set_person_enabled


@transaction.atomic
def lock_out(*, actor: Person, person: str, organisation: str, reason: str) -> bool:
    """Keep somebody out of this organisation from now on; their sessions in it are cut.

    Return whether the account itself was locked. Whoever belongs to other organisations too loses the membership of
    this one only: nobody locks out somebody else's people.
    """
    try:
        set_person_enabled(actor=actor, person=person, enabled=False, reason=reason)
    except PersonElsewhere:
        end_membership(actor=actor, person=person, organisation=organisation, reason=reason)
        return False
    return True
