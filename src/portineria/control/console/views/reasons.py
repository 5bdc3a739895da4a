# SPDX-License-Identifier: Apache-2.0
"""The owner's page of the reasons that whoever asks chooses from."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portineria.control.access import reasons as services
from portineria.control.console.page import attempt, page
from portineria.control.console.reason_forms import ReasonsForm
from portineria.control.console.views.rules import administered
from portineria.control.estate import queries as estate
from portineria.control.identity.models import Person


@page
def reasons(request: HttpRequest, actor: Person) -> HttpResponse:
    owner = administered(request, actor)
    plants = list(estate.plants(actor).filter(organisation=owner))
    form = ReasonsForm(request.POST or None, plants=plants, there=services.lists(owner))

    def act() -> None:
        with transaction.atomic():  # all lists, or none
            for plant, found in form.changed().items():
                services.set_reasons(actor=actor, organisation=owner.public_id, plant=plant, reasons=found)

    if form.is_valid() and attempt(form, act):
        messages.success(request, _("Saved. Whoever asks from now on chooses from it."))
        return redirect("console:rules")
    return render(request, "console/reasons.html", {"form": form, "owner": owner})
