# SPDX-License-Identifier: Apache-2.0
"""Company devices: which computers the owner knows, and whose they are."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from portineria.control.access import company_devices as services
from portineria.control.console import queries
from portineria.control.console.device_forms import DeviceForm
from portineria.control.console.forms import ReasonForm
from portineria.control.console.page import attempt, leaf, page
from portineria.control.console.views.rules import administered
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Person
from portineria.core.errors import NotFound


@page
def devices(request: HttpRequest, actor: Person) -> HttpResponse:
    """For everybody but staff the page does not exist."""
    if not actor.staff_of:
        raise NotFound(f"company devices, for {actor.public_id}")
    rows, at = leaf(request, services.company_devices(actor)), timezone.now()
    context = {"rows": rows, "shown": [(row, row.standing(at)) for row in rows]}
    return render(request, "console/devices.html", context | {"administers": queries.administers(actor)})


@page
def add(request: HttpRequest, actor: Person) -> HttpResponse:
    owner = administered(request, actor)
    form = DeviceForm(request.POST or None, actor=actor, owner=owner)
    if form.is_valid() and attempt(
        form,
        lambda: services.add_company_device(actor=actor, organisation=owner.public_id, **form.cleaned_data),
    ):
        messages.success(request, _("Enrolled. Sessions may begin from it at once."))
        return redirect("console:devices")
    return render(request, "console/device_add.html", {"form": form, "owner": owner})


@page
def revoke(request: HttpRequest, actor: Person, company_device: str) -> HttpResponse:
    row = services.company_device(actor, company_device)
    require(actor, row.organisation_id, administers)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: services.revoke_company_device(actor=actor, device=company_device, **form.cleaned_data)
    ):
        messages.success(request, _("Revoked. What was opened from it is being cut."))
        return redirect("console:devices")
    return render(request, "console/device_revoke.html", {"form": form, "device": row})
