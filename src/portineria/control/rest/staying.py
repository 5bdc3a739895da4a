# SPDX-License-Identifier: Apache-2.0
"""Until when a supplier's person belongs here, and who answers for them."""

from datetime import date

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.identity import sponsoring
from portineria.control.identity.models import Membership
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.operation import Given, Id, acts

router = Router(tags=["people"])


class StayView(Schema):
    person: str
    organisation: str
    until: date | None
    sponsor: str | None


def _view(row: Membership) -> StayView:
    return StayView(
        person=row.person.public_id, organisation=row.organisation.public_id, until=row.last_day,
        sponsor=row.sponsor.public_id if row.sponsor else None,
    )  # fmt: skip


class Prolonged(Given):
    """``until``: the last day, of UTC; left out: a year from now, or the longest that the organisation allows."""

    until: date | None = None


@acts(router, "/people/{organisation}/{person}/prolong", StayView, Scope.ADMINISTER)
def prolong(request: HttpRequest, organisation: Id, person: Id, given: Prolonged) -> StayView:
    """By whoever answers for them, or administers. An end that is sooner than before counts too."""
    actor = person_of(request)
    return _view(sponsoring.prolong(actor=actor, organisation=organisation, person=person, until=given.until))


class NewSponsor(Given):
    sponsor: str = Field(max_length=24)


@acts(router, "/people/{organisation}/{person}/sponsor", StayView, Scope.ADMINISTER)
def sponsor(request: HttpRequest, organisation: Id, person: Id, given: NewSponsor) -> StayView:
    """One of the organisation's own people."""
    actor = person_of(request)
    return _view(sponsoring.set_sponsor(actor=actor, organisation=organisation, person=person, sponsor=given.sponsor))
