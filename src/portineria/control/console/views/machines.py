# SPDX-License-Identifier: Apache-2.0
import shlex
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from portineria.control.access import bundles, services
from portineria.control.access import queries as access
from portineria.control.access.around import ways
from portineria.control.access.emergency_queries import open_grant
from portineria.control.access.models import AccessRequest, RequestState
from portineria.control.access.reasons import reasons_at
from portineria.control.console import plant_rows, queries, sorting, whereabouts
from portineria.control.console.forms import AskForm
from portineria.control.console.machine_page import machine_page
from portineria.control.console.page import LONG, attempt, leaf, page
from portineria.control.console.templatetags.console import zone_of
from portineria.control.identity.authority import permitted, works_here
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.control.privacy import queries as privacy
from portineria.control.settings.start import current


@page
def machines(request: HttpRequest, actor: Person) -> HttpResponse:
    search = request.GET.get("q", "").strip()[:100]
    columns = sorting.machine_columns(actor)
    order = sorting.chosen(request, columns)
    found = access.machines_in_sight(actor, search).annotate(**ways())
    leaves = leaf(request, sorting.ordered(found, columns, order), LONG)
    rows = queries.machine_rows(actor, access.sights(actor, list(leaves)))
    context = {
        "leaves": leaves,
        "bands": [queries.Band("", "", rows)] if order else queries.bands(rows),
        "sorted": bool(order),
        "search": search,
        "staff": queries.is_staff(actor),
        "administers": queries.administers(actor),
    }
    return render(request, "console/machines.html", context)


@page
def machine(request: HttpRequest, actor: Person, machine: str) -> HttpResponse:
    shown = machine_page(actor, machine)
    server = shlex.quote(current().public_url.rstrip("/"))
    command = f"portineria connect {shlex.quote(shown.row.machine.name)} --server {server}"
    row = shown.row.machine
    held, there = shown.there.role and open_grant(actor, row) is None, shown.there
    plant = plant_rows.of_machine(actor, row, signals=there.signals, maintenance=there.maintenance)
    context = {"page": shown, "command": command, "emergency": held, "plant": plant,
               "works_here": permitted(actor, row.plant.organisation_id, works_here),
               "may_lock": permitted(actor, row.plant.organisation_id, works_here, Power.LOCK)}  # fmt: skip
    return render(request, "console/machine.html", context)


def _on_from(request: HttpRequest, made: list[AccessRequest]) -> HttpResponse:
    """To the machine, where nobody has to decide: it says how to connect, or what is missing still."""
    if len(made) == 1 and made[0].state == RequestState.APPROVED:
        messages.success(request, _("No decision was needed. You see here what is open to you, and what is missing."))
        return redirect("console:machine", made[0].machine.public_id)
    messages.success(request, _("Your request is made. You see here when it is decided."))
    return redirect("console:requests")


@page
def ask(request: HttpRequest, actor: Person, machine: str) -> HttpResponse:
    seen = access.visible_machine(actor, machine)
    if seen.max_minutes is None:
        raise services.NoRule(f"no rule lets {actor.public_id} ask for {seen.machine.public_id}")
    owner = seen.machine.plant.organisation
    if any(notice.organisation_id == owner.pk for notice in privacy.missing(actor)):
        return redirect(f"{reverse('console:notice', args=[owner.public_id])}?{urlencode({'next': request.path})}")
    place = whereabouts.place_of(seen.machine, seen.sight, owned=owner.pk in actor.sees(Power.ESTATE))
    zone = str(zone_of(place.zone or actor.time_zone))
    form = AskForm(request.POST or None, max_minutes=seen.max_minutes, zone=zone,
                   needs_reference=seen.needs_reference, others=queries.askable_besides(actor, seen),
                   reasons=reasons_at(seen.machine), needs_listed_reason=seen.needs_listed_reason)  # fmt: skip

    made: list[AccessRequest] = []

    def act() -> None:
        given = dict(form.cleaned_data)
        made.extend(bundles.make_requests(actor=actor, machines=[seen.machine.public_id, *given.pop("also")], **given))

    if form.is_valid() and attempt(form, act):
        return _on_from(request, made)
    return render(request, "console/ask.html", {"form": form, "seen": seen, "zone": zone, "of_plant": bool(place.zone)})
