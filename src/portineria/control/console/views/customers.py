# SPDX-License-Identifier: Apache-2.0
"""A provider's people: their customers together, and stepping inside one of them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portineria.control.access.withdrawal import decline as decline_all
from portineria.control.console.customers import overview
from portineria.control.console.forms import ReasonForm
from portineria.control.console.page import attempt, page
from portineria.control.identity import delegating
from portineria.control.identity.authority import administers, approves, require
from portineria.control.identity.entering import OwnCustomer, enter
from portineria.control.identity.inside import INSIDE, customers, own
from portineria.control.identity.models import Person
from portineria.control.problem import problem_of
from portineria.core.errors import NotFound


@page
def all_of_them(request: HttpRequest, actor: Person) -> HttpResponse:
    """For whoever has customers. For everybody else the page does not exist."""
    if not customers(actor).exists():
        raise NotFound(f"customers, for {actor.public_id}")
    return render(request, "console/customers.html", {"rows": overview(actor)})


@require_POST
@page
def step_inside(request: HttpRequest, actor: Person, customer: str) -> HttpResponse:
    try:
        enter(actor=actor, customer=customer)
    except OwnCustomer as error:
        messages.error(request, problem_of(error).detail)
        return redirect("console:customers")
    request.session[INSIDE] = customer
    return redirect("console:home")


@require_POST
@page
def step_outside(request: HttpRequest, actor: Person) -> HttpResponse:
    request.session.pop(INSIDE, None)
    return redirect("console:customers" if customers(actor).exists() else "console:home")


@page
def incident(request: HttpRequest, actor: Person, delegation: str) -> HttpResponse:
    them = own(actor)
    row = customers(them).filter(public_id=delegation).first()
    if row is None:
        raise NotFound(f"delegation {delegation}")
    require(them, row.provider_id, approves)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: delegating.declare_incident(actor=them, delegation=delegation, **form.cleaned_data)
    ):
        messages.success(request, _("Declared. Until its end the customer cannot withdraw; the customer was told."))
        return redirect("console:customers")
    return render(request, "console/incident.html", {"form": form, "delegation": row})


@page
def decline(request: HttpRequest, actor: Person, delegation: str) -> HttpResponse:
    """What a customer delegated is given back, by whoever administers the provider."""
    them = own(actor)
    row = customers(them).filter(public_id=delegation).first()
    if row is None:
        raise NotFound(f"delegation {delegation}")
    require(them, row.provider_id, administers)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: decline_all(actor=them, delegation=delegation, **form.cleaned_data)
    ):  # fmt: skip
        messages.success(request, _("Given back. The customer was told."))
        return redirect("console:customers" if customers(them).exists() else "console:home")
    return render(request, "console/delegation_decline.html", {"form": form, "row": row})
