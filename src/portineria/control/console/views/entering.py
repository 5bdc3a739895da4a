# SPDX-License-Identifier: Apache-2.0
"""By hand: plants, machines, services, people. What is many is declared in a file instead (``portineria apply``)."""

from datetime import date
from functools import partial
from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from portineria.control.access import rules
from portineria.control.access import services as access
from portineria.control.console import queries
from portineria.control.console.asking_twice import asking_twice, once_seen
from portineria.control.console.entering_forms import (
    AnsweringForm,
    MachineAddForm,
    PersonAddForm,
    PlantAddForm,
    ServiceAddForm,
)
from portineria.control.console.page import attempt, page
from portineria.control.console.views.gateways import gateway_code
from portineria.control.estate import entering
from portineria.control.estate import queries as estate
from portineria.control.estate import services as estate_services
from portineria.control.estate.answering import set_answering
from portineria.control.estate.models import GatewayState, Machine, Plant
from portineria.control.identity import queries as identity
from portineria.control.identity import services as identity_services
from portineria.control.identity.authority import administers, require
from portineria.control.identity.first_run import invite
from portineria.control.identity.models import Organisation, Person, Role
from portineria.control.settings.start import current
from portineria.core.errors import Denied, NotFound

_TRIAL_MINUTES = 60


def _administered(actor: Person) -> list[Organisation]:
    """Raise NotFound for who is of nobody's staff, Denied for staff who administer nothing."""
    if not actor.staff_of:
        raise NotFound(f"what is entered by hand, for {actor.public_id}")
    found = queries.administered(actor)
    if not found:
        raise Denied("administers no organisation")
    return found


@page
def plant(request: HttpRequest, actor: Person) -> HttpResponse:
    owners, made = _administered(actor), list[Plant]()
    form = PlantAddForm(request.POST or None, organisations=owners, initial={"time_zone": actor.time_zone})
    if form.is_valid() and attempt(
        form, lambda: made.append(estate_services.create_plant(actor=actor, **form.cleaned_data))
    ):
        messages.success(request, _("Added. Next comes the gateway that stands there."))
        return gateway_code(request, actor, made[0].public_id)
    return render(request, "console/plant_add.html", {"form": form, "several": len(owners) > 1})


@page
def machine(request: HttpRequest, actor: Person) -> HttpResponse:
    owners, made = _administered(actor), list[Machine]()
    usable = [GatewayState.ADMITTED, GatewayState.WAITING, GatewayState.QUARANTINED]
    rows = estate.gateways(actor).filter(plant__organisation__in=owners, state__in=usable).select_related("plant")
    gateways = list(rows.order_by("plant__name", "name", "pk"))
    initial = {"gateway": request.GET.get("gateway", "")[:30]}
    form = MachineAddForm(request.POST or None, gateways=gateways, initial=initial)
    if form.is_valid() and attempt(form, lambda: made.append(_enter_machine(actor, form))):
        if not form.cleaned_data["try_it"]:
            messages.success(request, _("Added. Next: who may ask for it."))
        return redirect("console:machine", made[0].public_id)
    return render(request, "console/machine_add.html", {"form": form, "gateways": gateways})


@transaction.atomic
def _enter_machine(actor: Person, form: MachineAddForm) -> Machine:
    made = entering.enter_machine(actor=actor, **form.given)
    if form.cleaned_data["try_it"]:
        rules.create_rule(
            actor=actor, organisation=made.plant.organisation.public_id, machines=[made.public_id],
            person=actor.public_id, max_minutes=_TRIAL_MINUTES, needs_approval=False,
        )  # fmt: skip
        access.make_request(
            actor=actor, machine=made.public_id, reason=_("Tried out by whoever entered the machine"),
            minutes=_TRIAL_MINUTES,
        )  # fmt: skip
    return made


@page
def answering(request: HttpRequest, actor: Person, machine: str) -> HttpResponse:
    row = estate.machine(actor, machine)
    require(actor, row.plant.organisation_id, administers)
    staff = identity.staff_people(actor, row.plant.organisation_id)
    initial = {
        "answering": row.answering.public_id if row.answering else "",
        "deputy": row.deputy.public_id if row.deputy else "",
    }
    form = AnsweringForm(request.POST or None, staff=staff, initial=initial)
    if form.is_valid() and attempt(
        form, lambda: set_answering(actor=actor, machine=row.public_id, **form.cleaned_data)
    ):
        return redirect("console:machine", row.public_id)
    return render(request, "console/answering.html", {"form": form, "machine": row})


@page
def service(request: HttpRequest, actor: Person, machine: str) -> HttpResponse:
    row = estate.machine(actor, machine)
    require(actor, row.plant.organisation_id, administers)
    device = row.devices.order_by("pk").first()
    form = ServiceAddForm(request.POST or None, initial={"address": device.address if device else ""})
    if form.is_valid() and attempt(
        form, lambda: entering.enter_service(actor=actor, machine=row.public_id, **form.given)
    ):
        messages.success(request, _("Added. Sessions that begin from now on have it."))
        return redirect("console:machine", row.public_id)
    return render(request, "console/service_add.html", {"form": form, "machine": row})


@page
@asking_twice
def remove_service(request: HttpRequest, actor: Person, service: str) -> HttpResponse:
    rows = estate.services(actor).select_related("device__machine__plant")
    row = rows.filter(public_id=service).first()
    if row is None:
        raise NotFound(f"service {service}")
    machine = row.device.machine
    require(actor, machine.plant.organisation_id, administers)
    if request.method == "POST":
        removed = partial(estate_services.remove_service, actor=actor, service=service)
        once_seen(request, removed, actor=actor, organisation=machine.plant.organisation_id)()
        messages.success(request, _("Removed. Sessions that reach it are ending."))
        return redirect("console:machine", machine.public_id)
    return render(request, "console/service_remove.html", {"service": row, "machine": machine})


@never_cache
@page
def person(request: HttpRequest, actor: Person) -> HttpResponse:
    _administered(actor)
    answer: HttpResponse = _person(request, actor)
    return answer


# As with invitations: whoever finds a browser open makes no account of their own in it.
@reauthentication_required  # type: ignore[untyped-decorator]
def _person(request: HttpRequest, actor: Person) -> HttpResponse:
    """The link is in this one answer and nowhere else: it is not kept in clear, not even in the session."""
    owners, made = queries.administered(actor), list[tuple[Person, str]]()
    firms = identity.supplier_names(actor, owners)
    initial = {
        "supplier": request.GET.get("supplier"), "until": owners[0].usual_end(timezone.now()),
        "sponsor": actor.public_id,
    }  # fmt: skip
    staff = {row.public_id: row for owner in owners for row in identity.staff_people(actor, owner.pk)}
    form = PersonAddForm(
        request.POST or None, organisations=owners, suppliers=firms, staff=staff.values(), initial=initial
    )
    if form.is_valid() and attempt(form, lambda: made.append(_enter(actor, **form.cleaned_data))):
        row, path = made[0]
        address = current().public_url.rstrip("/") + path if path else ""
        return render(request, "console/person_added.html", {"row": row, "address": address})
    return render(request, "console/person_add.html", {"form": form, "several": len(owners) > 1})


@transaction.atomic
def _enter(
    actor: Person, *, organisation: str, name: str, email: str, role: str, supplier: str, new_supplier: str,
    sponsor: str, until: date | None,
) -> tuple[Person, str]:  # fmt: skip
    """The person, and the path of their invitation: empty for somebody known here, who is asked first."""
    if new_supplier:
        made = identity_services.create_supplier(actor=actor, organisation=organisation, name=new_supplier)
        supplier = made.public_id
    terms: dict[str, Any] = {"sponsor": sponsor, "until": until} if supplier else {}
    row = identity_services.create_person(
        actor=actor, organisation=organisation, name=name, email=email, role=Role(role), supplier=supplier,
        time_zone=actor.time_zone, **terms,
    )  # fmt: skip
    joined = row.memberships.filter(organisation__public_id=organisation).exists()
    return row, invite(actor=actor, person=row.public_id) if joined else ""
