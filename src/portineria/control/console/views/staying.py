# SPDX-License-Identifier: Apache-2.0
"""Until when a supplier's person belongs here, and who answers for them."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portineria.control.console.page import attempt, page
from portineria.control.console.stay_forms import StayForm
from portineria.control.identity import queries as identity
from portineria.control.identity import sponsoring
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Membership, Person
from portineria.core.errors import NotFound


@page
def stay(request: HttpRequest, actor: Person, organisation: str, person: str) -> HttpResponse:
    """For whoever answers for them, and whoever administers. It opens with a year: one click prolongs."""
    row = identity.member(actor, organisation, person)
    if row.supplier is None:
        raise NotFound(f"{person} is of no supplier")
    if row.sponsor_id != actor.pk:
        require(actor, row.organisation_id, administers)
    form = StayForm(request.POST or None, row=row, staff=identity.staff_people(actor, row.organisation_id))
    if form.is_valid() and attempt(form, lambda: _keep(actor, row, form)):
        messages.success(request, _("Kept."))
        return redirect("console:people" if row.sponsor_id != actor.pk else "console:home")
    return render(request, "console/person_stay.html", {"form": form, "row": row})


@transaction.atomic
def _keep(actor: Person, row: Membership, form: StayForm) -> None:
    whose = {"organisation": row.organisation.public_id, "person": row.person.public_id}
    sponsoring.prolong(actor=actor, **whose, until=form.cleaned_data["until"])
    sponsor = form.cleaned_data["sponsor"]
    if sponsor and sponsor != (row.sponsor.public_id if row.sponsor else ""):
        sponsoring.set_sponsor(actor=actor, **whose, sponsor=sponsor)
