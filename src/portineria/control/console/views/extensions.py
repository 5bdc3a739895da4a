# SPDX-License-Identifier: Apache-2.0
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portineria.control.access import extending
from portineria.control.access import queries as access
from portineria.control.console import whereabouts
from portineria.control.console.extension_forms import MoreTimeForm
from portineria.control.console.forms import DecisionForm, ReasonForm
from portineria.control.console.page import attempt, page
from portineria.control.identity.models import Person
from portineria.core.errors import NotFound


@page
def ask(request: HttpRequest, actor: Person, grant: str) -> HttpResponse:
    """Of whoever the grant is for; for everybody else the page does not exist."""
    row = access.grant(actor, grant)
    if row.person_id != actor.pk:
        raise NotFound(f"grant {grant}")
    form = MoreTimeForm(request.POST or None, max_minutes=row.minutes_left(timezone.now()))
    if form.is_valid() and attempt(form, lambda: extending.ask_for_more(actor=actor, grant=grant, **form.cleaned_data)):
        messages.success(request, _("Asked. What runs goes on; you see the answer here and in your notifications."))
        return redirect("console:request", row.request.public_id)
    place = whereabouts.place(actor, row.machine)
    context = {"form": form, "grant": row, "place": place, "section": "sessions"}
    return render(request, "console/extension_ask.html", context)


@require_POST
@page
def approve(request: HttpRequest, actor: Person, extension: str) -> HttpResponse:
    """One click. What stood in the way is said on the page of the request."""
    row = extending.extension(actor, extension)
    form = DecisionForm(request.POST)
    if form.is_valid() and attempt(form, lambda: extending.agree_to_more(actor=actor, extension=extension)):
        messages.success(request, _("Extended. The gateway gets the new end at once."))
    else:
        messages.error(request, " ".join(str(fault) for faults in form.errors.values() for fault in faults))
    return redirect("console:request", row.grant.request.public_id)


@require_POST
@page
def withdraw(request: HttpRequest, actor: Person, extension: str) -> HttpResponse:
    row = extending.extension(actor, extension)
    form = DecisionForm(request.POST)
    if form.is_valid() and attempt(form, lambda: extending.withdraw_more(actor=actor, extension=extension)):
        messages.success(request, _("Withdrawn. What runs keeps its end."))
    else:
        messages.error(request, " ".join(str(fault) for faults in form.errors.values() for fault in faults))
    return redirect("console:request", row.grant.request.public_id)


@page
def refuse(request: HttpRequest, actor: Person, extension: str) -> HttpResponse:
    row = extending.extension(actor, extension)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: extending.refuse_more(actor=actor, extension=extension, **form.cleaned_data)
    ):
        messages.success(request, _("Refused. The technician sees your reason."))
        return redirect("console:request", row.grant.request.public_id)
    place = whereabouts.place(actor, row.machine)
    context = {"form": form, "extension": row, "place": place, "section": "approvals"}
    return render(request, "console/extension_refuse.html", context)
