# SPDX-License-Identifier: Apache-2.0
from typing import Any

from django.contrib import messages
from django.core.paginator import Page
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portineria.control.access import bundles, emergency_queries, services
from portineria.control.access import queries as access
from portineria.control.access.answerable import decidable_requests
from portineria.control.access.extending import decidable_extensions
from portineria.control.access.models import AccessRequest
from portineria.control.console import emergency_rows, extension_rows, held, jobs, whereabouts
from portineria.control.console.forms import ApprovalForm, DecisionForm, ExtendForm, ReasonForm, RevokeForm
from portineria.control.console.page import attempt, leaf, page
from portineria.control.console.request_page import request_page, request_row
from portineria.control.console.which_wait import which_wait
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.policy.ending import Ending


@page
def mine(request: HttpRequest, actor: Person) -> HttpResponse:
    rows = whereabouts.asked_leaf(actor, leaf(request, access.requests(actor).filter(person=actor)))
    return render(request, "console/requests.html", {"rows": rows})


@page
def approvals(request: HttpRequest, actor: Person) -> HttpResponse:
    own = access.requests(actor).filter(organisation__in=actor.sees(Power.WORK))
    at, decidable = timezone.now(), whereabouts.waiting(decidable_requests(actor))
    others = whereabouts.waiting(own.filter(state="pending")).exclude(pk__in=decidable.values("pk"))
    lists: dict[str, QuerySet[Any]] = {
        "held": remote_sessions.held_for(actor, at), "emergencies": emergency_queries.reviews(actor).unsigned(),
        "more": decidable_extensions(actor), "waiting": decidable, "others": others,
    }  # fmt: skip
    waits = which_wait(actor, lists)

    def part(name: str) -> Page[Any]:
        return leaf(request, lists[name] if name in waits else lists[name].none(), named=name)

    context: dict[str, Any] = {
        "held": held.waiting_for(actor, at) if "held" in waits else [],
        "more": extension_rows.waiting_leaf(actor, part("more")),
        "emergencies": emergency_rows.unsigned(actor) if "emergencies" in waits else [],
        "waiting": whereabouts.asked_leaf(actor, part("waiting")),
        "others": whereabouts.asked_leaf(actor, part("others")),
        "rows": whereabouts.asked_leaf(actor, leaf(request, own.exclude(state="pending"))),
    }
    waiting = [context["waiting"].paginator.count, context["more"].paginator.count, len(context["held"])]
    context["waiting_for_you"] = sum(waiting)
    return render(request, "console/approvals.html", context)


def _show(request: HttpRequest, actor: Person, public_id: str, form: DecisionForm | None = None) -> HttpResponse:
    """As it is now. ``form``: what was said in vain."""
    row = request_row(actor, public_id)
    shown, there = request_page(actor, row), row.__dict__
    form = form or (_form(request, actor, row) if shown.may_say_yes else DecisionForm())
    section = "approvals" if shown.staff else "requests"
    written = jobs.context(actor, row, unwritten=not there["any_entries"])
    context = {"page": shown, "form": form, "section": section, **written}
    context["extensions"] = extension_rows.of_grant(actor, shown.grant) if there["any_more"] else []
    return render(request, "console/request.html", context)


@page
def show(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    return _show(request, actor, public_id)


def _form(request: HttpRequest, actor: Person, row: AccessRequest) -> ApprovalForm:
    profiles = access.narrower_profiles(actor, row)
    return ApprovalForm(request.POST or None, asked=row.minutes, profiles=profiles)


@require_POST
@page
def approve(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    form = _form(request, actor, access.request(actor, public_id))
    if form.is_valid() and attempt(form, lambda: services.agree(actor=actor, request=public_id, **form.cleaned_data)):
        if (decided := request_page(actor, request_row(actor, public_id))).grant is None:
            text = _("Your yes is kept. Others have to give theirs before anything opens.")
        elif not decided.grant.begun:
            text = _("Approved. The time runs from the first session; you see here by when it has to begin.")
        elif decided.grant_state == "later":
            text = _("Approved. The technician can start a session from the beginning that you see here.")
        else:
            text = _("Approved. The technician can start a session now, until the end that you see here.")
        messages.success(request, text)
        return redirect("console:request", public_id)
    return _show(request, actor, public_id, form)


@require_POST
@page
def approve_all(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    """Of what was asked for together, those that the page showed, each with the mark that it showed."""
    form, bundle = DecisionForm(request.POST), access.request(actor, public_id).bundle
    seen = dict(pair.split("/", 1) for pair in request.POST.getlist("seen") if "/" in pair)
    if form.is_valid() and attempt(
        form, lambda: bundles.agree_to_all(actor=actor, bundle=bundle, seen=seen, **form.cleaned_data)
    ):
        messages.success(request, _("Approved: all that waited of it."))
        return redirect("console:request", public_id)
    return _show(request, actor, public_id, form)


@page
def refuse(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    shown = access.request(actor, public_id)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(form, lambda: services.refuse(actor=actor, request=public_id, **form.cleaned_data)):
        messages.success(request, _("Refused. The technician sees your reason."))
        return redirect("console:request", public_id)
    place = whereabouts.place(actor, shown.machine)
    context = {"form": form, "asked": shown, "place": place, "section": "approvals"}
    return render(request, "console/refuse.html", context)


@require_POST
@page
def withdraw(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    form = DecisionForm(request.POST)
    if form.is_valid() and attempt(form, lambda: services.cancel(actor=actor, request=public_id)):
        messages.success(request, _("Your request is withdrawn."))
        return redirect("console:requests")
    return _show(request, actor, public_id, form)


@page
def extend(request: HttpRequest, actor: Person, grant: str) -> HttpResponse:
    row = access.grant(actor, grant)
    form = ExtendForm(request.POST or None, max_minutes=row.minutes_left(timezone.now()))
    if form.is_valid() and attempt(form, lambda: services.extend(actor=actor, grant=grant, **form.cleaned_data)):
        messages.success(request, _("Extended. The gateway gets the new end at once."))
        return redirect("console:request", row.request.public_id)
    place = whereabouts.place(actor, row.machine)
    return render(request, "console/extend.html", {"form": form, "grant": row, "place": place, "section": "approvals"})


@page
def revoke(request: HttpRequest, actor: Person, grant: str) -> HttpResponse:
    row = access.grant(actor, grant)
    form = RevokeForm(request.POST or None, initial={"ending": Ending.ADMINISTRATIVE.value})
    if form.is_valid() and attempt(
        form,
        lambda: services.revoke(
            actor=actor,
            grant=grant,
            reason=form.cleaned_data["reason"],
            ending=Ending(form.cleaned_data["ending"]),
        ),
    ):
        messages.success(request, _("Revoked. Sessions under this grant are being ended."))
        return redirect("console:request", row.request.public_id)
    place = whereabouts.place(actor, row.machine)
    return render(request, "console/revoke.html", {"form": form, "grant": row, "place": place, "section": "approvals"})
