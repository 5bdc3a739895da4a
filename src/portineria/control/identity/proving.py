# SPDX-License-Identifier: Apache-2.0
"""Second factors of a company's own sign-in: what is kept of them, and showing one anew."""

from datetime import datetime, timedelta

from allauth.socialaccount.models import SocialAccount
from django.db import transaction

from portineria.control.audit import services as audit
from portineria.control.identity.claims import Refusal, Vouched
from portineria.control.identity.factor_models import ProvidedFactor
from portineria.control.identity.models import Person
from portineria.control.identity.provider_models import IdentityProvider
from portineria.control.identity.said_factor import SaidFactor

_CLOCKS = timedelta(seconds=60)  # what the provider's and ours may differ by


def keep(row: IdentityProvider, person: Person, said: SaidFactor | None) -> None:
    """Inside the transaction that holds the provider's row: that its word counts is judged there once more."""
    if said is None or not row.factor_counts:
        return
    _, made = ProvidedFactor.objects.get_or_create(person=person, provider=row)
    if made:
        audit.record(
            "identity.second-factor.vouched", organisation=row.organisation.public_id, actor=row.public_id,
            about=person.public_id, person=person.public_id, provider=row.public_id,
        )  # fmt: skip


@transaction.atomic
def prove(*, actor: Person, provider: str, vouched: Vouched, since: datetime) -> SaidFactor | Refusal:
    """By whoever is signed in: the same identity, a second factor that counts, proved since they were asked."""
    rows = IdentityProvider.objects.select_for_update(of=("self",), no_key=True).select_related("organisation")
    row = rows.filter(public_id=provider, disabled_at__isnull=True, factor_counts=True).first()
    if row is None:
        return Refusal.GONE
    account = SocialAccount.objects.filter(provider=provider, user=actor).first()
    if account is None or account.uid != vouched.subject:
        return Refusal.SOMEBODY_ELSE
    if actor.memberships.exclude(organisation=row.organisation_id).exists():
        return Refusal.ELSEWHERE
    said = vouched.factor
    if said is None:
        return Refusal.NO_FACTOR
    if said.at is None or said.at < since - _CLOCKS:
        return Refusal.NOT_ANEW
    keep(row, actor, said)
    return said


def provers(person: Person) -> list[IdentityProvider]:
    """By which this person may show it: connected to them, of the one organisation that they belong to."""
    mine = SocialAccount.objects.filter(user=person).values("provider")
    rows = IdentityProvider.objects.filter(public_id__in=mine, factor_counts=True, disabled_at__isnull=True)
    where = set(person.memberships.values_list("organisation_id", flat=True))
    return [row for row in rows.order_by("name", "pk") if where == {row.organisation_id}]
