# SPDX-License-Identifier: Apache-2.0
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from portineria.control.console import event_queries, queries, sorting
from portineria.control.console.forms import AdmitForm, PlantForm, ReasonForm
from portineria.control.console.page import LONG, attempt, leaf, page
from portineria.control.estate import enrolment, introduction
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Gateway
from portineria.control.identity.authority import administers, permitted, require, works_here
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.settings.start import current
from portineria.core.errors import NotFound


@page
def gateways(request: HttpRequest, actor: Person) -> HttpResponse:
    order = sorting.chosen(request, sorting.GATEWAY_COLUMNS)
    leaves = leaf(request, sorting.ordered(estate.gateways(actor), sorting.GATEWAY_COLUMNS, order), LONG)
    context = {
        "leaves": leaves,
        "rows": [(row, queries.shown_gateway_state(row)) for row in leaves],
        "plants": estate.plants(actor).exists(),
        "administers": queries.administers(actor),
    }
    return render(request, "console/gateways.html", context)


@never_cache
@page
def add(request: HttpRequest, actor: Person) -> HttpResponse:
    """The code is in this one answer and nowhere else: it is not kept in clear, not even in the session."""
    form = PlantForm(request.POST or None, plants=list(estate.plants(actor)))
    offered: list[HttpResponse] = []
    if form.is_valid() and attempt(
        form, lambda: offered.append(gateway_code(request, actor, form.cleaned_data["plant"]))
    ):
        return offered[0]
    context = {"form": form, "without_code": _commands_without_code(actor) if introduction.offered() else []}
    return render(request, "console/gateway_add.html", context)


def gateway_code(request: HttpRequest, actor: Person, plant: str) -> HttpResponse:
    """The answer that has the code; never cached. Raise NotFound, Denied."""
    code, row = enrolment.offer_enrolment(actor=actor, plant=plant)
    command = f"portineria gateway enrol {current().public_url.rstrip('/')} {code}"
    context = {"code": code, "offer": row, "enrol_command": command}
    return render(request, "console/gateway_offered.html", context)


@page
def waiting(request: HttpRequest, actor: Person, plant: str) -> HttpResponse:
    """Those of a plant that wait for admission: asked for again and again by the page with the code."""
    row = estate.plant(actor, plant)
    require(actor, row.organisation_id, administers)
    rows = estate.waiting_gateways(actor).filter(plant=row)
    return render(request, "console/parts/gateways_waiting.html", {"waiting": rows})


def _commands_without_code(actor: Person) -> list[tuple[str, str]]:
    """Plant and command."""
    start = f"portineria gateway enrol {current().public_url.rstrip('/')}"
    root = introduction.root_fingerprint()
    return [
        (plant.name, f'{start} --plant {plant.public_id} --root-fingerprint "{root}"') for plant in estate.plants(actor)
    ]


@page
def gateway(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = estate.gateway(actor, public_id)
    form = AdmitForm(request.POST or None)
    if form.is_valid() and attempt(form, lambda: enrolment.admit_gateway(actor=actor, gateway=public_id)):
        messages.success(request, _("Admitted. The gateway connects by itself within half a minute."))
        return redirect("console:gateway", public_id)
    inside = remote_sessions.open_sessions(actor).filter(gateway=row)
    context = {
        "gateway": row,
        "state": queries.shown_gateway_state(row),
        "links": row.links.all(),
        "machines": leaf(request, estate.machines(actor).filter(gateway=row), LONG, named="machines"),
        "inside": queries.seen_leaves(actor, leaf(request, inside, named="inside"))[0],
        "events": event_queries.gateway_events(actor, public_id),
        "form": form,
        "administers": queries.administers(actor),
        "may_lock": permitted(actor, row.plant.organisation_id, works_here, Power.LOCK),
    }
    return render(request, "console/gateway.html", context)


def _own(actor: Person, public_id: str) -> Gateway:
    """Of the actor's own organisation: to whom it is delegated, they see it, and no more."""
    row = estate.gateway(actor, public_id)
    if row.plant.organisation_id not in actor.staff_of:
        raise NotFound(f"gateway {public_id}")
    return row


@page
def refuse(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = _own(actor, public_id)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: enrolment.refuse_gateway(actor=actor, gateway=public_id, **form.cleaned_data)
    ):
        messages.success(request, _("Refused. This gateway stays outside."))
        return redirect("console:gateway", public_id)
    return render(request, "console/gateway_refuse.html", {"form": form, "gateway": row})


@page
def revoke(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = _own(actor, public_id)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: enrolment.revoke_gateway(actor=actor, gateway=public_id, **form.cleaned_data)
    ):
        messages.success(request, _("Revoked. Its connections are closed and its sessions are being cut."))
        return redirect("console:gateway", public_id)
    inside = remote_sessions.open_sessions(actor).filter(gateway=row).count()
    return render(request, "console/gateway_revoke.html", {"form": form, "gateway": row, "inside": inside})
