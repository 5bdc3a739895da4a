# SPDX-License-Identifier: Apache-2.0
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portineria.control.access import bundles, substituting
from portineria.control.access import queries as access
from portineria.control.access.models import AccessRequest
from portineria.control.console import whereabouts
from portineria.control.console.page import attempt, page
from portineria.control.console.substitute_forms import HandOverForm, SubstituteForm, choices
from portineria.control.identity.authority import approves, require
from portineria.control.identity.models import Person
from portineria.core.errors import NotFound


@page
def substitutes(request: HttpRequest, actor: Person) -> HttpResponse:
    """Of the organisations whose staff the actor is. For everybody else the page does not exist."""
    if not actor.staff_of:
        raise NotFound(f"substitutes, for {actor.public_id}")
    offered = choices(actor)
    form = SubstituteForm(request.POST or None, offered=offered)
    if form.is_valid() and attempt(form, lambda: substituting.name_substitute(actor=actor, **form.named())):
        messages.success(request, _("Named. Until then they stand in for you."))
        return redirect("console:substitutes")
    context = {"rows": substituting.substitutions(actor), "form": form if offered else None}
    return render(request, "console/substitutes.html", context)


@page
def hand_over(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    """For whoever may approve there; for everybody else the page does not exist."""
    asked = access.request(actor, public_id)
    require(actor, asked.organisation_id, approves)
    form = HandOverForm(request.POST or None, actor=actor, asked=asked)
    if form.is_valid() and attempt(form, lambda: _hand_over(actor, asked, **form.cleaned_data)):
        messages.success(request, _("Handed over. They are told, and you see here when it is decided."))
        return redirect("console:request", public_id)
    context = {
        "form": form, "asked": asked, "place": whereabouts.place(actor, asked.machine), "section": "approvals",
    }  # fmt: skip
    return render(request, "console/request_hand_over.html", context)


def _hand_over(actor: Person, asked: AccessRequest, substitute: str, *, together: bool = False) -> None:
    if together:
        bundles.hand_over_all(actor=actor, bundle=asked.bundle, substitute=substitute)
    else:
        substituting.hand_over(actor=actor, request=asked.public_id, substitute=substitute)


@require_POST
@page
def end(request: HttpRequest, actor: Person, substitution: str) -> HttpResponse:
    row = substituting.end_substitution(actor=actor, substitution=substitution)
    if row.request is not None:
        messages.success(request, _("Taken back. Whoever approves decides it as before."))
        return redirect("console:request", row.request.public_id)
    messages.success(request, _("Ended. Sessions that rest on their yes are being ended; what runs may finish."))
    return redirect("console:substitutes")
