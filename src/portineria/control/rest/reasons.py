# SPDX-License-Identifier: Apache-2.0
"""The reasons that whoever asks chooses from."""

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.access import reasons as services
from portineria.control.access.reason import MOST_REASONS, REASON_TEXT
from portineria.control.identity.models import Organisation
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, acts, reads

router = Router(tags=["rules"])


class ReasonsView(Schema):
    """``plants``: by id, those with a list of their own; elsewhere ``reasons`` count."""

    organisation: str
    reasons: list[str]
    plants: dict[str, list[str]]


def _view(owner: Organisation) -> ReasonsView:
    found = services.lists(owner)
    return ReasonsView(organisation=owner.public_id, reasons=found.pop("", []), plants=found)


@reads(router, "/reasons", Leaf[ReasonsView])
def reasons(request: HttpRequest, place: Where) -> Leaf[ReasonsView]:
    """Of the organisations whose staff the caller is."""
    actor = person_of(request)
    return leaf(actor, "reasons", services.owners(actor), place, lambda found: [_view(row) for row in found])


class NewReasons(Given):
    """The whole list. ``plant``: empty for the list that counts wherever a plant has none of its own."""

    organisation: str = Field(max_length=24)
    plant: str = Field(default="", max_length=24)
    reasons: list[str] = Field(max_length=MOST_REASONS, description=f"Each of 1 to {REASON_TEXT} characters.")


@acts(router, "/reasons", ReasonsView, Scope.ADMINISTER)
def reasons_set(request: HttpRequest, given: NewReasons) -> ReasonsView:
    actor = person_of(request)
    services.set_reasons(actor=actor, organisation=given.organisation, plant=given.plant, reasons=given.reasons)
    return _view(services.owners(actor).get(public_id=given.organisation))
