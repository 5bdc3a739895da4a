# SPDX-License-Identifier: Apache-2.0
"""For who lost a password or a second factor. Whatever was signed in with what is lost ends at once."""

from allauth.mfa.models import Authenticator
from django.db import transaction

from portineria.control.audit import services as audit
from portineria.control.identity.authority import Actor
from portineria.control.identity.first_run import new_link
from portineria.control.identity.models import Person
from portineria.control.identity.queries import organisations_of_person
from portineria.control.identity.services import end_sign_ins, person_to_change
from portineria.core.errors import Conflict


class OwnWayBack(Conflict):
    """A browser that somebody left open would give its finder the whole account, with a password of the finder's."""

    code = "identity.person.self"


class LockedOut(Conflict):
    code = "identity.person.locked"


@transaction.atomic
def reset_second_factor(*, actor: Actor, person: str, reason: str = "") -> None:
    """For who lost the telephone: the next sign-in begins with a new second factor. Sessions are cut meanwhile."""
    row = person_to_change(actor, person)
    _take_second_factors(row, actor.public_id, reason)
    end_sign_ins(row)


@transaction.atomic
def invite_again(*, actor: Actor, person: str, reason: str) -> str:
    """Return the path where this person sets a new password, and then a new second factor; once, within three days.

    The password, every second factor and passkey, every browser and connector end now, and with them every session,
    as a matter of security. Raise NotFound, PersonElsewhere, OwnWayBack, LockedOut.
    """
    row = person_to_change(actor, person)
    if row.public_id == actor.public_id:
        raise OwnWayBack(f"{row.public_id} has to ask another administrator, or the operator of the server")
    if not row.enabled:
        raise LockedOut(f"{row.public_id} is locked: unlock first, then invite again")
    _take_second_factors(row, actor.public_id, reason)
    end_sign_ins(row)
    path = new_link(row)
    for organisation in organisations_of_person(row):
        audit.record(
            "identity.person.invited-again",
            organisation=organisation,
            actor=actor.public_id,
            person=row.public_id,
            reason=reason,
            link=path,
        )
    return path


def _take_second_factors(person: Person, actor: str, reason: str) -> None:
    Authenticator.objects.filter(user=person).delete()
    person.provided_factors.all().delete()
    for organisation in organisations_of_person(person):
        audit.record(
            "identity.second-factor.removed",
            organisation=organisation,
            actor=actor,
            person=person.public_id,
            kind="all",
            reason=reason,
        )
