# SPDX-License-Identifier: Apache-2.0
"""Whoever left a provider is locked out at its customers: nobody comes back under a pseudonym, and what rests on their
yes ends as with an approver who was locked. Of whoever approves there no longer, no yes counts.

No row says which analyst somebody was, so it is asked the other way round: who of a provider's people could be whom.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.identity.delegation_models import Delegation
from portineria.control.identity.models import STAFF_PEOPLE, Membership, Person, Role
from portineria.control.identity.pseudonyms import pseudonyms

# Delegation → who was where when nothing was left to do: keys are opened again only where that changed. Public ids are
# random, so what is alike here is the same.
_Found = tuple[frozenset[tuple[str, str]], frozenset[tuple[str, bool]]]
_settled: dict[str, _Found] = {}


def lock_out_gone(at: datetime) -> int:
    """Called by the timer, each second: one query while there are no analysts, two while nothing changes. Return how
    many were locked out.
    """
    rows = Membership.objects.filter(role=Role.ANALYST, person__disabled_at__isnull=True).order_by("pk")
    by_delegation: dict[Delegation, list[Membership]] = defaultdict(list)
    for row in rows.select_related("person", "delegation__organisation", "delegation__provider"):
        if row.delegation is not None:
            by_delegation[row.delegation].append(row)
    staff = _staff(delegation.provider_id for delegation in by_delegation)
    count = 0
    for delegation, analysts in by_delegation.items():
        people = staff[delegation.provider_id]
        found = (
            frozenset((one.person.public_id, one.role) for one in people),
            frozenset((one.person.public_id, one.approves_there) for one in analysts),
        )
        if _settled.get(delegation.public_id) != found:
            turned, gone = _compare(delegation, people, analysts, at)
            count += gone
            if not turned and not gone:
                _settled[delegation.public_id] = found
    return count


def _staff(providers: Iterable[int]) -> dict[int, list[Membership]]:
    found: dict[int, list[Membership]] = defaultdict(list)
    wanted = set(providers)
    if wanted:
        rows = Membership.objects.filter(
            organisation__in=wanted, role__in=STAFF_PEOPLE, person__disabled_at__isnull=True
        )
        for row in rows.select_related("person").order_by("pk"):
            found[row.organisation_id].append(row)
    return found


def _compare(
    delegation: Delegation, people: list[Membership], analysts: list[Membership], at: datetime
) -> tuple[int, int]:
    """How many approve there otherwise than it was known, and how many were locked out."""
    known = pseudonyms(delegation, (row.person for row in people))
    approving = pseudonyms(delegation, (row.person for row in people if row.role_here.approves))
    turned = [row for row in analysts if row.approves_there != (row.person.public_id in approving)]
    for row in turned:
        Membership.objects.filter(pk=row.pk).update(approves_there=not row.approves_there)
    gone = [row.person for row in analysts if row.person.public_id not in known]
    for analyst in gone:
        _disable(delegation, analyst, at)
    return len(turned), len(gone)


@transaction.atomic
def _disable(delegation: Delegation, analyst: Person, at: datetime) -> None:
    row = Person.objects.select_for_update(no_key=True).get(pk=analyst.pk)
    row.disabled_at = at
    row.save(update_fields=["disabled_at"])
    record(
        "identity.person.disabled", organisation=delegation.organisation.public_id,
        actor=delegation.provider.public_id, person=row.public_id, reason="left the provider",
    )  # fmt: skip
