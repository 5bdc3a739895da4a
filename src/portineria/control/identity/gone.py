# SPDX-License-Identifier: Apache-2.0
"""Whoever left a provider is locked out at its customers: nobody comes back under a pseudonym, and what rests on their
yes ends as with an approver who was locked.

No row says which analyst somebody was, so it is asked the other way round: who of a provider's people could be whom.
"""

from collections import defaultdict
from datetime import datetime

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.identity.delegation_models import Delegation
from portineria.control.identity.models import STAFF_PEOPLE, Membership, Person, Role
from portineria.control.identity.pseudonyms import pseudonyms


def lock_out_gone(at: datetime) -> int:
    """Called by the timer, each second: one query while there are no analysts. Return how many were locked out."""
    rows = Membership.objects.filter(role=Role.ANALYST, person__disabled_at__isnull=True).order_by("pk")
    by_delegation: dict[Delegation, list[Person]] = defaultdict(list)
    for row in rows.select_related("person", "delegation__organisation", "delegation__provider"):
        if row.delegation is not None:
            by_delegation[row.delegation].append(row.person)
    return sum(_lock_out(delegation, analysts, at) for delegation, analysts in by_delegation.items())


def _lock_out(delegation: Delegation, analysts: list[Person], at: datetime) -> int:
    there = Membership.objects.filter(
        organisation=delegation.provider_id, role__in=STAFF_PEOPLE, person__disabled_at__isnull=True
    )
    known = pseudonyms(delegation, (row.person for row in there.select_related("person")))
    gone = [analyst for analyst in analysts if analyst.public_id not in known]
    for analyst in gone:
        _disable(delegation, analyst, at)
    return len(gone)


@transaction.atomic
def _disable(delegation: Delegation, analyst: Person, at: datetime) -> None:
    row = Person.objects.select_for_update(no_key=True).get(pk=analyst.pk)
    row.disabled_at = at
    row.save(update_fields=["disabled_at"])
    record(
        "identity.person.disabled", organisation=delegation.organisation.public_id,
        actor=delegation.provider.public_id, person=row.public_id, reason="left the provider",
    )  # fmt: skip
