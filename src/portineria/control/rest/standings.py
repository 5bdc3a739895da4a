# SPDX-License-Identifier: Apache-2.0
"""The standing of suppliers, for the staff of the organisation that assessed them."""

from datetime import date, datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.identity import queries
from portineria.control.identity import standing as services
from portineria.control.identity.standing_models import STANDING_TEXT, SupplierStanding
from portineria.control.remote_sessions.second_yes import foreseen
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Confirmed, Id, acts, reads

router = Router(tags=["people"])


class StandingView(Schema):
    """``counts``: the newest, and valid today. ``valid_until``: the last day, of UTC. ``kept_by``: who entered it."""

    supplier: str
    level: str
    assessed_by: str
    assessed_on: date
    valid_until: date
    reference: str
    counts: bool
    kept_at: datetime
    kept_by: str


def _views(rows: list[SupplierStanding]) -> list[StandingView]:
    return [
        StandingView(
            supplier=one.row.supplier.public_id, level=one.row.level, assessed_by=one.row.assessed_by,
            assessed_on=one.row.assessed_on, valid_until=one.row.valid_until, reference=one.row.reference,
            counts=one.counts, kept_at=one.row.kept_at, kept_by=one.row.kept_by.public_id,
        )
        for one in services.kept(rows)
    ]  # fmt: skip


@reads(router, "/suppliers/{supplier}/standings", Leaf[StandingView])
def standings(request: HttpRequest, supplier: Id, place: Where) -> Leaf[StandingView]:
    """Newest first: what was assessed earlier stays. Where none counts, the supplier has no standing."""
    actor = person_of(request)
    return leaf(actor, f"standings {supplier}", services.standings(actor, supplier), place, _views, newest_first=True)


class Assessed(Confirmed):
    """``level``: A is the best. ``assessed_by``: a firm or an office. ``reference``: where the assessment lies."""

    level: Literal["A", "B", "C", "D"]
    assessed_by: str = Field(min_length=1, max_length=STANDING_TEXT)
    assessed_on: date
    valid_until: date
    reference: str = Field(min_length=1, max_length=STANDING_TEXT)


@acts(router, "/suppliers/{supplier}/standing", StandingView, Scope.ADMINISTER)
def standing_set(request: HttpRequest, supplier: Id, given: Assessed) -> StandingView:
    """It counts from now on, in place of the one before; more than five open sessions end only with a second yes."""
    actor, asked = person_of(request), given.model_dump(exclude={"confirm"})
    made = foreseen(
        lambda: services.assess_supplier(actor=actor, supplier=supplier, **asked), actor=actor,
        organisation=queries.own_supplier(actor, supplier).organisation_id, confirmed=given.confirm,
    )  # fmt: skip
    return _views([made])[0]
