# SPDX-License-Identifier: Apache-2.0
"""What people are told before they work, and the owner's pages about it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from portineria.control.console.page import attempt, page
from portineria.control.console.privacy_forms import DUTIES, AcknowledgeForm, DutyForm, NoticeForm, TermsForm
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Person
from portineria.control.privacy import duties as named
from portineria.control.privacy import queries, services
from portineria.control.remote_sessions import playback, retention
from portineria.core.errors import NotFound


@page
def privacy(request: HttpRequest, actor: Person) -> HttpResponse:
    """Of the organisations whose staff the actor is. For everybody else the page does not exist."""
    if not actor.staff_of:
        raise NotFound(f"privacy, for {actor.public_id}")
    context = {
        "rows": queries.overview(actor),
        "named": [(row, DUTIES[row.duty]) for row in named.appointments(actor)],
        "holds": retention.holds(actor),
        "playbacks": playback.playbacks(actor, timezone.now()),
    }
    return render(request, "console/privacy.html", context)


@page
def edit_notice(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    now = queries.editable(actor, organisation)
    require(actor, now.owner.pk, administers)
    form = NoticeForm(request.POST or None, initial_answers=now.answers)
    if form.is_valid() and attempt(
        form, lambda: services.publish_notice(actor=actor, organisation=organisation, answers=form.answers())
    ):
        messages.success(request, _("Published. Whoever begins a session reads it first."))
        return redirect("console:privacy")
    return render(request, "console/notice_edit.html", {"form": form, "owner": now.owner, "first": now.first})


@page
def terms(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    now = queries.editable(actor, organisation)
    require(actor, now.owner.pk, administers)
    form = TermsForm(request.POST or None, initial=TermsForm.of(now.terms))
    if form.is_valid() and attempt(
        form, lambda: services.set_terms(actor=actor, organisation=organisation, **form.cleaned_data)
    ):
        messages.success(request, _("Saved. It holds for sessions that begin from now on."))
        return redirect("console:privacy")
    return render(request, "console/privacy_terms.html", {"form": form, "owner": now.owner})


@page
def duties(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    now = queries.editable(actor, organisation)
    require(actor, now.owner.pk, administers)
    people = named.appointable(actor, now.owner.pk)
    form = DutyForm(request.POST or None, people=people)

    def act() -> None:
        person = form.cleaned_data["person"]
        named.appoint(actor=actor, organisation=organisation, person=person, duty=form.wanted)

    if form.is_valid() and attempt(form, act):
        messages.success(request, _("Saved."))
        return redirect("console:privacy")
    return render(request, "console/privacy_duties.html", {"form": form, "owner": now.owner})


@page
def notice(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    shown = queries.notice(actor, organisation, get_language() or "en")
    there = str(request.POST.get("next") or request.GET.get("next") or "")
    if not url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure()):
        there = ""
    form = AcknowledgeForm(request.POST or None)

    def act() -> Any:
        return services.acknowledge(actor=actor, organisation=organisation, **form.cleaned_data)

    if form.is_valid() and attempt(form, act):
        messages.success(request, _("Noted. You can read it again under your name at any time."))
        return redirect(there or "console:home")
    context = {"shown": shown, "form": form, "next": there, "back": there or reverse("console:home")}
    return render(request, "console/notice.html", context)
