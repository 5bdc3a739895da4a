# SPDX-License-Identifier: Apache-2.0
"""The standing of suppliers: kept with its history, and over on its day."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from portineria.control.audit import services as audit
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Person, Supplier, SupplierStanding
from portineria.control.identity.queries import own_supplier
from portineria.control.identity.services import BadField, clean_name
from portineria.control.identity.standing_models import LEVELS, STANDING_TEXT

MOST_DAYS = 3650


@transaction.atomic
def assess_supplier(
    *, actor: Person, supplier: str, level: str, assessed_by: str, assessed_on: date, valid_until: date, reference: str
) -> SupplierStanding:
    """From now on this counts, and what was kept before it does not. Raise NotFound, Denied or BadField."""
    row = own_supplier(actor, supplier)
    require(actor, row.organisation_id, administers)
    row = Supplier.objects.select_for_update(of=("self",), no_key=True).select_related("organisation").get(pk=row.pk)
    today = timezone.now().date()
    if (level, level) not in LEVELS:
        raise BadField("level", "A to D")
    if assessed_on > today + timedelta(days=1):  # east of UTC it is tomorrow already
        raise BadField("assessed_on", "in the future")
    if not today <= valid_until <= today + timedelta(days=MOST_DAYS) or valid_until < assessed_on:
        raise BadField("valid_until", f"today to {MOST_DAYS} days from now", most=MOST_DAYS)
    made = SupplierStanding.objects.create(
        supplier=row, level=level, assessed_on=assessed_on, valid_until=valid_until, kept_by=actor,
        assessed_by=clean_name(assessed_by, "assessed_by", characters=STANDING_TEXT),
        reference=clean_name(reference, "assessment", characters=STANDING_TEXT),
    )  # fmt: skip
    row.standing, row.standing_until = level, valid_until
    row.save(update_fields=["standing", "standing_until"])
    audit.record(
        "identity.supplier.assessed", organisation=row.organisation.public_id, actor=actor.public_id,
        supplier=row.public_id, level=level, assessed_on=assessed_on.isoformat(), valid_until=valid_until.isoformat(),
        assessed_by=made.assessed_by, assessment=made.reference,
    )  # fmt: skip
    return made


def standings(actor: Person, supplier: str) -> QuerySet[SupplierStanding]:
    """All that were kept of a supplier, for the organisation's staff. Raise NotFound."""
    rows = SupplierStanding.objects.filter(supplier=own_supplier(actor, supplier))
    return rows.select_related("supplier", "kept_by").order_by("-pk")


@dataclass(frozen=True, slots=True)
class Kept:
    """One of the history. ``newest``: the one that counts, while it is valid."""

    row: SupplierStanding
    newest: bool
    over: bool

    @property
    def counts(self) -> bool:
        return self.newest and not self.over


def kept(rows: list[SupplierStanding]) -> list[Kept]:
    """Of one supplier, some of ``standings``."""
    newest = SupplierStanding.objects.filter(supplier__in={row.supplier_id for row in rows}).order_by("-pk").first()
    today = timezone.now().date()
    return [Kept(row, newest is not None and row.pk == newest.pk, row.valid_until < today) for row in rows]
