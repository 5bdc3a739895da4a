# SPDX-License-Identifier: Apache-2.0
"""Whether recordings keep the contents of programs: owner and supplier both say so, or it is hash and size."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Person, Supplier, SupplierQuerySet
from portineria.control.privacy.models import ContentsAgreement, Side
from portineria.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Agreement:
    """``owner``, ``supplied``: what stands of each side. ``own``: the side for which the actor speaks, if any."""

    supplier: Supplier
    owner: ContentsAgreement | None
    supplied: ContentsAgreement | None
    own: Side | None

    @property
    def kept(self) -> bool:
        return self.owner is not None and self.supplied is not None

    @property
    def said(self) -> bool:
        """The actor's own side has agreed."""
        return (self.owner if self.own is Side.OWNER else self.supplied) is not None


def agreed(supplier_id: int) -> bool:
    rows = ContentsAgreement.objects.filter(supplier=supplier_id, withdrawn_at__isnull=True)
    return set(rows.values_list("side", flat=True)) == set(Side.values)


def suppliers(actor: Person) -> SupplierQuerySet:
    """Of the organisations whose staff the actor is, and those for which the actor works."""
    rows = Supplier.objects.visible_to(actor).select_related("organisation")
    return rows.order_by("organisation__name", "name", "pk")


def agreements(actor: Person, rows: Iterable[Supplier]) -> list[Agreement]:
    """``rows``: of ``suppliers``."""
    suppliers = list(rows)
    standing = ContentsAgreement.objects.filter(supplier__in=suppliers, withdrawn_at__isnull=True)
    found = {(row.supplier_id, row.side): row for row in standing.select_related("agreed_by").order_by("pk")}
    return [
        Agreement(each, found.get((each.pk, Side.OWNER)), found.get((each.pk, Side.SUPPLIER)), _side(actor, each))
        for each in suppliers
    ]


def _side(actor: Person, supplier: Supplier) -> Side | None:
    """A supplier has no roles of its own: whoever works for it speaks for it, and is named."""
    if supplier.pk in actor.supplier_ids:
        return Side.SUPPLIER
    role = actor.role_in(supplier.organisation_id)
    return Side.OWNER if role is not None and role.administers else None


@transaction.atomic
def agree(*, actor: Person, supplier: str, keeps: bool) -> None:
    """For the actor's own side, or withdraw it. Holds for orders that are written from now on. Saying it again changes
    nothing. Raise NotFound, and Denied for staff who administer nothing.
    """
    rows = Supplier.objects.visible_to(actor).select_for_update(of=("self",), no_key=True)
    found = rows.select_related("organisation").filter(public_id=supplier).first()
    if found is None:
        raise NotFound(f"supplier {supplier}")
    side = _side(actor, found)
    if side is None:
        require(actor, found.organisation_id, administers)
        raise NotFound(f"supplier {supplier}")
    standing = ContentsAgreement.objects.filter(supplier=found, side=side, withdrawn_at__isnull=True).first()
    if keeps == (standing is not None):
        return
    if standing is None:
        ContentsAgreement.objects.create(supplier=found, side=side, agreed_by=actor)
    else:
        standing.withdrawn_by, standing.withdrawn_at = actor, timezone.now()
        standing.save(update_fields=["withdrawn_by", "withdrawn_at"])
    record(
        f"privacy.contents.{'agreed' if keeps else 'withdrawn'}",
        organisation=found.organisation.public_id,
        actor=actor.public_id,
        supplier=supplier,
        side=side.value,
    )
