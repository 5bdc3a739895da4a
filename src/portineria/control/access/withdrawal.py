# SPDX-License-Identifier: Apache-2.0
"""Withdrawing what was delegated, and giving it back: a matter of security. What rests on a yes of the provider is
revoked, and cut.
"""

from django.db import transaction
from django.utils import timezone

from portineria.control.access.facts import decisions_by_grant
from portineria.control.access.models import Approval, Grant
from portineria.control.audit.services import record
from portineria.control.identity.delegating import end, end_by_provider
from portineria.control.identity.delegation_models import Delegation
from portineria.control.identity.models import Membership, Person
from portineria.control.identity.pseudonyms import pseudonym
from portineria.policy.ending import Ending, Reason


@transaction.atomic
def withdraw(*, actor: Person, delegation: str, reason: str) -> Delegation:
    """At once. While an incident runs that was granted beforehand: with its end, and nothing is cut for it before.

    Raise NotFound, Denied, Conflict.
    """
    row = end(actor=actor, delegation=delegation, reason=reason)
    now = timezone.now()
    if not row.holds(now):
        _revoke_what_rests_on(row, actor.public_id, reason)
    return row


@transaction.atomic
def decline(*, actor: Person, delegation: str, reason: str) -> Delegation:
    """By whoever administers at the provider: as if it had been withdrawn, also while an incident runs. In the
    customer's register they have their pseudonym. Raise NotFound, Denied.
    """
    row = end_by_provider(actor=actor, delegation=delegation, reason=reason)
    _revoke_what_rests_on(row, pseudonym(row, actor), reason)
    return row


def _revoke_what_rests_on(row: Delegation, actor: str, reason: str) -> None:
    now = timezone.now()
    analysts = Membership.objects.filter(delegation=row).values("person")
    theirs = Approval.objects.filter(decided_by__in=analysts, approved=True).values("request")
    grants = Grant.objects.select_for_update(of=("self",), no_key=True).select_related(
        "organisation", "machine__plant", "machine__gateway", "person", "rule"
    )
    live = list(grants.filter(request__in=theirs, revoked_at__isnull=True, ends_at__gt=now).order_by("pk"))
    judged = decisions_by_grant(live, now)
    for grant in live:
        if Reason.NO_APPROVAL in judged[grant.pk].denials:  # enough others said yes to what stays
            _revoke(grant, actor, reason)


def _revoke(grant: Grant, actor: str, reason: str) -> None:
    grant.revoked_at, grant.ended_class = timezone.now(), Ending.SECURITY.value
    grant.save(update_fields=["revoked_at", "ended_class"])
    record(
        "access.grant.revoked", organisation=grant.organisation.public_id, actor=actor, about=actor,
        grant=grant.public_id, machine=grant.machine.public_id, person=grant.person.public_id,
        ending=Ending.SECURITY.value, reason=reason,
    )  # fmt: skip
