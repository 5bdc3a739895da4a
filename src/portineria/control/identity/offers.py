# SPDX-License-Identifier: Apache-2.0
"""Somebody whom another organisation brought in is asked before one more counts them among its people.

Until they say yes it learns nothing of them: not their name, not when they sign in, not from where.
"""

from allauth.socialaccount.models import SocialAccount
from django.db import transaction

from portineria.control.audit import services as audit
from portineria.control.identity.models import Membership, MembershipOffer, Organisation, Person, Role, Supplier
from portineria.control.identity.sponsorship import NONE, Sponsorship
from portineria.core.errors import Conflict, NotFound


class VouchedElsewhere(Conflict):
    """Whoever runs the provider of one organisation could be this person in the other one too."""

    code = "identity.offer.vouched"


def offer(
    *, actor: str, person: Person, owner: Organisation, role: Role, supplier: Supplier | None, terms: Sponsorship
) -> None:
    """Inside the transaction of whoever decided it. A second offer replaces the first."""
    MembershipOffer.objects.update_or_create(
        person=person, organisation=owner,
        defaults={"role": role, "supplier": supplier, "ends_at": terms.ends_at, "sponsor": terms.sponsor},
    )  # fmt: skip
    _record("offered", actor, person, owner, role, supplier, terms)


def offers(actor: Person) -> list[MembershipOffer]:
    """What the actor has been asked and has not answered."""
    found = MembershipOffer.objects.filter(person=actor).select_related("organisation", "supplier")
    return list(found.order_by("offered_at"))


def pending(organisation: Organisation, email: str) -> MembershipOffer | None:
    """Asked for the operator of the server: what somebody with this address was asked by this organisation."""
    return MembershipOffer.objects.filter(organisation=organisation, person__email=email).select_related(
        "supplier"
    ).first()  # fmt: skip


@transaction.atomic
def accept(*, actor: Person, organisation: str) -> Membership:
    if SocialAccount.objects.filter(user=actor).exists():
        raise VouchedElsewhere(f"{actor.public_id} comes by a provider of another organisation")
    row = _taken(actor, organisation)
    made = Membership.objects.create(
        person=actor, organisation=row.organisation, role=row.role, supplier=row.supplier, ends_at=row.ends_at,
        sponsor=row.sponsor,
    )  # fmt: skip
    terms = Sponsorship(row.ends_at, row.sponsor)
    _record("added", actor.public_id, actor, row.organisation, Role(row.role), row.supplier, terms)
    return made


@transaction.atomic
def decline(*, actor: Person, organisation: str) -> None:
    row = _taken(actor, organisation)
    _record("declined", actor.public_id, actor, row.organisation, Role(row.role), row.supplier)


def _taken(actor: Person, organisation: str) -> MembershipOffer:
    rows = MembershipOffer.objects.select_for_update(of=("self",), no_key=True).select_related(
        "organisation", "supplier", "sponsor"
    )
    row = rows.filter(person=actor, organisation__public_id=organisation).first()
    if row is None:
        raise NotFound(f"no offer of {organisation}")
    row.delete()
    return row


def _record(
    what: str, actor: str, person: Person, owner: Organisation, role: Role, supplier: Supplier | None,
    terms: Sponsorship = NONE,
) -> None:  # fmt: skip
    audit.record(
        f"identity.membership.{what}",
        organisation=owner.public_id,
        actor=actor,
        person=person.public_id,
        role=role.value,
        supplier=supplier.public_id if supplier else "",
        **terms.fields,
    )
