# SPDX-License-Identifier: Apache-2.0
"""Trainings: what people read and confirm before they work, and the owner's pages about it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from portineria.control.access import training_queries
from portineria.control.access import trainings as services
from portineria.control.console import queries
from portineria.control.console.asking_twice import asking_twice, once_seen
from portineria.control.console.forms import ReasonForm
from portineria.control.console.page import attempt, leaf, page
from portineria.control.console.privacy_forms import AcknowledgeForm
from portineria.control.console.training_forms import TrainingForm
from portineria.control.console.views.rules import administered
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Person
from portineria.core.errors import NotFound


@page
def trainings(request: HttpRequest, actor: Person) -> HttpResponse:
    """For everybody but staff the page does not exist: they find what is asked of them where they work."""
    if not actor.staff_of:
        raise NotFound(f"trainings, for {actor.public_id}")
    rows = leaf(request, training_queries.offered(actor))
    context = {"rows": rows, "administers": queries.administers(actor), "several": len(actor.staff_of) > 1}
    return render(request, "console/trainings.html", context)


@page
def add(request: HttpRequest, actor: Person) -> HttpResponse:
    owner = administered(request, actor)
    form = TrainingForm(request.POST or None)

    def act() -> Any:
        given = {"name": form.cleaned_data["name"], "days": form.cleaned_data["days"]}
        return services.publish_training(actor=actor, organisation=owner.public_id, words=form.words(), **given)

    if form.is_valid() and attempt(form, act):
        messages.success(request, _("Published. Rules may ask for it from now on."))
        return redirect("console:trainings")
    return render(request, "console/training_form.html", {"form": form, "owner": owner})


@page
@asking_twice
def edit(request: HttpRequest, actor: Person, training: str) -> HttpResponse:
    now = training_queries.one_offered(actor, training)
    require(actor, now.training.organisation_id, administers)
    form = TrainingForm(request.POST or None, version=now)

    def act() -> Any:
        days = form.cleaned_data["days"]
        return services.publish_training(actor=actor, training=training, words=form.words(), days=days)

    published = once_seen(request, act, actor=actor, organisation=now.training.organisation_id)
    if form.is_valid() and attempt(form, published):
        messages.success(request, _("Published. Whoever works under a rule that asks for it confirms it anew."))
        return redirect("console:trainings")
    context = {"form": form, "owner": now.training.organisation, "training": now.training}
    return render(request, "console/training_form.html", context)


@page
def end(request: HttpRequest, actor: Person, training: str) -> HttpResponse:
    now = training_queries.one_offered(actor, training)
    require(actor, now.training.organisation_id, administers)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: services.end_training(actor=actor, training=training, **form.cleaned_data)
    ):
        messages.success(request, _("The training has ended."))
        return redirect("console:trainings")
    return render(request, "console/training_end.html", {"form": form, "training": now.training})


@page
def training(request: HttpRequest, actor: Person, training: str) -> HttpResponse:
    shown = training_queries.training(actor, training, get_language() or "en")
    there = str(request.POST.get("next") or request.GET.get("next") or "")
    if not url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure()):
        there = ""
    form = AcknowledgeForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: services.confirm_training(actor=actor, training=training, **form.cleaned_data)
    ):
        messages.success(request, _("Noted. You can read it again under your name at any time."))
        return redirect(there or "console:home")
    context = {"shown": shown, "form": form, "next": there, "back": there or reverse("console:home")}
    return render(request, "console/training.html", context)
