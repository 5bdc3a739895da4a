# SPDX-License-Identifier: Apache-2.0
"""Break-glass: opening at once, who may, and signing afterwards."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portineria.control.access import emergency as services
from portineria.control.access import emergency_queries
from portineria.control.access import queries as access
from portineria.control.console import emergency_rows, queries, whereabouts
from portineria.control.console.emergency_forms import GiveForm, LongestForm, OpenForm, SignForm, SwitchForm
from portineria.control.console.forms import ReasonForm
from portineria.control.console.page import attempt, page
from portineria.control.estate import queries as estate
from portineria.control.estate.emergency import set_emergency
from portineria.control.identity import queries as identity
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Person
from portineria.core.errors import NotFound
from portineria.policy.sight import Sight


@page
def emergencies(request: HttpRequest, actor: Person) -> HttpResponse:
    """For everybody else than staff this page does not exist: holders of a role find it at the machine."""
    if not actor.staff_of:
        raise NotFound(f"emergencies, for {actor.public_id}")
    context = {
        "unsigned": emergency_rows.unsigned(actor),
        "signed": emergency_rows.signed(actor),
        "roles": list(emergency_queries.roles(actor)),
        "owners": [row for row in identity.organisations(actor) if row.pk in actor.staff_of],
        "administers": queries.administers(actor),
    }
    return render(request, "console/emergencies.html", context)


@page
def break_glass(request: HttpRequest, actor: Person, machine: str) -> HttpResponse:
    seen = access.visible_machine(actor, machine)
    role = emergency_queries.role_for(actor, seen.machine)
    if role is None:
        raise services.NoEmergencyRole(f"{actor.public_id} holds no emergency role there")
    form, grants = OpenForm(request.POST or None), list[str]()

    def act() -> None:
        grant = services.break_glass(actor=actor, machine=seen.machine.public_id, **form.cleaned_data)
        grants.append(grant.request.public_id)

    if form.is_valid() and attempt(form, act):
        messages.warning(request, _("It is open. Everybody at the plant sees it, and it is recorded."))
        return redirect("console:machine", seen.machine.public_id)
    owned = seen.machine.plant.organisation_id in actor.staff_of
    context = {
        "form": form, "machine": seen.machine, "minutes": role.max_minutes,
        "place": whereabouts.place(actor, seen.machine),
        "services": estate.services_of(seen.machine) if owned or seen.sight is Sight.REACHABLE else [],
        "away": not seen.machine.gateway.links.exists(),
    }  # fmt: skip
    return render(request, "console/break_glass.html", context)


@page
def sign(request: HttpRequest, actor: Person, review: str) -> HttpResponse:
    row = emergency_queries.review(actor, review)
    form, supplier = SignForm(request.POST or None), emergency_rows.row_of(actor, row).supplier
    if form.is_valid() and attempt(form, lambda: services.sign_review(actor=actor, review=review, **form.cleaned_data)):
        messages.success(request, _("Signed. Your words are kept with the event."))
        return redirect("console:emergencies")
    return render(request, "console/emergency_sign.html", {"form": form, "review": row, "supplier": supplier})


@page
def give(request: HttpRequest, actor: Person) -> HttpResponse:
    _require_administrator(actor)
    plants = [row for row in estate.plants(actor) if _administered(actor, row.organisation_id)]
    form = GiveForm(request.POST or None, actor=actor, plants=plants)

    def act() -> None:
        owner = form.places[form.cleaned_data["plant"]].organisation.public_id
        services.give_role(actor=actor, organisation=owner, **form.given)

    if form.is_valid() and attempt(form, act):
        messages.success(request, _("Given. It opens every machine of this plant, without a yes."))
        return redirect("console:emergencies")
    return render(request, "console/emergency_give.html", {"form": form})


@page
def take(request: HttpRequest, actor: Person, role: str) -> HttpResponse:
    row = emergency_queries.role(actor, role)
    require(actor, row.organisation_id, administers)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(form, lambda: services.take_role(actor=actor, role=role, **form.cleaned_data)):
        messages.success(request, _("Taken back. What was opened with it is being cut."))
        return redirect("console:emergencies")
    return render(request, "console/emergency_take.html", {"form": form, "role": row})


@page
def longest(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    row = next((row for row in identity.organisations(actor) if row.public_id == organisation), None)
    if row is None:
        raise NotFound(f"organisation {organisation}")
    require(actor, row.pk, administers)
    form = LongestForm(request.POST or None, initial={"minutes": row.emergency_minutes})
    if form.is_valid() and attempt(
        form, lambda: services.set_longest(actor=actor, organisation=organisation, **form.cleaned_data)
    ):
        messages.success(request, _("Set. What is open longer ends earlier now."))
        return redirect("console:emergencies")
    return render(request, "console/emergency_longest.html", {"form": form, "owner": row})


@page
def at_gateway(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    """Whether two PINs open machines at this gateway's own console while no line leads there."""
    row = estate.gateway(actor, public_id)
    require(actor, row.plant.organisation_id, administers)
    form, allowed = SwitchForm(request.POST or None), not row.emergency
    if request.method == "POST" and form.is_valid() and attempt(
        form, lambda: set_emergency(actor=actor, gateway=public_id, allowed=form.cleaned_data["allowed"])
    ):  # fmt: skip
        text = _("Switched on. The gateway knows of it within seconds while it is connected.")
        off = _("Switched off. The gateway knows of it within seconds while it is connected.")
        messages.success(request, text if form.cleaned_data["allowed"] else off)
        return redirect("console:gateway", public_id)
    context = {"form": form, "gateway": row, "allowed": allowed}
    return render(request, "console/gateway_emergency.html", context)


def _administered(actor: Person, organisation_id: int) -> bool:
    role = actor.role_in(organisation_id)
    return role is not None and role.administers


def _require_administrator(actor: Person) -> None:
    """Of some organisation; the service asks again for the very one."""
    if not actor.staff_of:
        raise NotFound(f"emergency roles, for {actor.public_id}")
    if not queries.administers(actor):
        require(actor, actor.staff_of[0], administers)
