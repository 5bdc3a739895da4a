# SPDX-License-Identifier: Apache-2.0
"""Putting machines and lines into maintenance, and ending it; consent signals."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from portineria.control.access import plant_state
from portineria.control.access.maintaining import begin_maintenance, end_maintenance
from portineria.control.access.signals import add_signal, remove_signal
from portineria.control.console.forms import ReasonForm
from portineria.control.console.page import attempt, page
from portineria.control.console.plant_forms import MaintenanceForm, SignalForm
from portineria.control.console.templatetags.console import zone_of
from portineria.control.estate import queries as estate
from portineria.control.identity.authority import administers, require, works_here
from portineria.control.identity.models import Person
from portineria.core.errors import NotFound


@page
def begin(request: HttpRequest, actor: Person, machine: str) -> HttpResponse:
    row = estate.machine(actor, machine)
    require(actor, row.plant.organisation_id, works_here)
    zone = str(zone_of(row.plant.time_zone))
    form = MaintenanceForm(request.POST or None, zone=zone, on_a_line=row.line is not None)

    def act() -> None:
        given = form.cleaned_data
        line = row.line.name if row.line and given.get("whole_line") else ""
        place = {"line": f"{row.plant.public_id}/{line}"} if line else {"machine": row.public_id}
        begin_maintenance(
            actor=actor, organisation=row.plant.organisation.public_id, reason=given["reason"],
            ends_at=given["ends_at"], **place,
        )  # fmt: skip

    if form.is_valid() and attempt(form, act):
        messages.success(request, _("In maintenance. Rules that ask for it are open."))
        return redirect("console:machine", row.public_id)
    return render(request, "console/maintenance_begin.html", {"form": form, "machine": row, "zone": zone})


@page
def end(request: HttpRequest, actor: Person, maintenance: str) -> HttpResponse:
    row = plant_state.maintenance(actor).filter(public_id=maintenance).first()
    if row is None:
        raise NotFound(f"maintenance {maintenance}")
    asked = estate.machines(actor).filter(public_id=request.GET.get("machine", "")[:24]).first() or row.machine
    back = reverse("console:machine", args=[asked.public_id]) if asked else reverse("console:machines")
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: end_maintenance(actor=actor, maintenance=maintenance, **form.cleaned_data)
    ):
        messages.success(request, _("The maintenance is over. What runs under rules that ask for it may finish."))
        return redirect(back)
    return render(request, "console/maintenance_end.html", {"form": form, "row": row, "back": back})


@page
def signal_add(request: HttpRequest, actor: Person, machine: str) -> HttpResponse:
    row = estate.machine(actor, machine)
    require(actor, row.plant.organisation_id, administers)
    form, owner = SignalForm(request.POST or None, machine=row), row.plant.organisation.public_id
    if form.is_valid() and attempt(form, lambda: add_signal(actor=actor, organisation=owner, **form.given)):
        messages.success(request, _("Added. It says what it is as soon as the gateway has read it."))
        return redirect("console:machine", row.public_id)
    return render(request, "console/signal_add.html", {"form": form, "machine": row})


@page
def signal_remove(request: HttpRequest, actor: Person, signal: str) -> HttpResponse:
    row = plant_state.signals(actor).filter(public_id=signal).first()
    if row is None:
        raise NotFound(f"signal {signal}")
    require(actor, row.organisation_id, administers)
    asked = estate.machines(actor).filter(public_id=request.GET.get("machine", "")[:24]).first() or row.machine
    back = reverse("console:machine", args=[asked.public_id]) if asked else reverse("console:machines")
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(form, lambda: remove_signal(actor=actor, signal=signal, **form.cleaned_data)):
        messages.success(request, _("The consent signal is removed."))
        return redirect(back)
    return render(request, "console/signal_remove.html", {"form": form, "row": row, "back": back})
