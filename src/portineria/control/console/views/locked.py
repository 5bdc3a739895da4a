# SPDX-License-Identifier: Apache-2.0
"""What is locked, and locking a machine, a gateway, a place or everything. People and suppliers: ``locks``."""

from collections.abc import Callable

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from portineria.control.access import locks as services
from portineria.control.access import queries as access
from portineria.control.console import queries
from portineria.control.console.forms import PlaceLockForm, ReasonForm
from portineria.control.console.page import attempt, leaf, page
from portineria.control.console.queries import administered
from portineria.control.estate import queries as estate
from portineria.control.identity.authority import administers, require
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.core.errors import NotFound
from portineria.policy.ending import Locked


def _require_staff(actor: Person) -> None:
    """For everybody else these pages do not exist."""
    if not actor.sees(Power.LOCK):
        raise NotFound(f"locks, for {actor.public_id}")


@page
def locks(request: HttpRequest, actor: Person) -> HttpResponse:
    _require_staff(actor)
    every = access.locks(actor)
    context = {
        "holding": leaf(request, every.holding(), named="holding"),
        "lifted": leaf(request, every.exclude(pk__in=every.holding().values("pk")), named="lifted"),
        "administers": queries.administers(actor),
    }
    return render(request, "console/locks.html", context)


def _ask(
    request: HttpRequest, act: Callable[..., object], name: str, back: str, template: str = "lock_thing"
) -> HttpResponse:
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(form, lambda: act(**form.cleaned_data)):
        messages.success(request, _("%(name)s is locked. Open sessions are being cut.") % {"name": name})
        return redirect(back)
    return render(request, f"console/{template}.html", {"form": form, "name": name, "back": back})


@page
def lock_machine(request: HttpRequest, actor: Person, machine: str) -> HttpResponse:
    row = estate.machine(actor, machine)

    def act(reason: str) -> None:
        services.lock(
            actor=actor, organisation=row.plant.organisation.public_id, kind=Locked.MACHINE, thing=row.public_id,
            reason=reason,
        )  # fmt: skip

    return _ask(request, act, row.name, reverse("console:machine", args=[row.public_id]))


@page
def lock_gateway(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = estate.gateway(actor, public_id)

    def act(reason: str) -> None:
        services.lock(
            actor=actor, organisation=row.plant.organisation.public_id, kind=Locked.GATEWAY, thing=row.public_id,
            reason=reason,
        )  # fmt: skip

    return _ask(request, act, row.name, reverse("console:gateway", args=[row.public_id]))


@page
def add(request: HttpRequest, actor: Person) -> HttpResponse:
    """A plant, a zone or a line."""
    _require_staff(actor)
    plants = {row.public_id: row for row in estate.plants(actor).prefetch_related("zones", "lines")}
    form = PlaceLockForm(request.POST or None, plants=list(plants.values()))

    def act() -> None:
        kind, thing = form.place_of
        owner = plants[thing.partition("/")[0]].organisation.public_id
        services.lock(actor=actor, organisation=owner, kind=kind, thing=thing, reason=form.cleaned_data["reason"])

    if form.is_valid() and attempt(form, act):
        messages.success(request, _("Locked. Open sessions are being cut."))
        return redirect("console:locks")
    return render(request, "console/lock_place.html", {"form": form})


@page
def everything(request: HttpRequest, actor: Person) -> HttpResponse:
    _require_staff(actor)
    if not administered(actor):
        require(actor, actor.member_of[0], administers)
    answer: HttpResponse = _everything(request, actor)
    return answer


# Whoever finds a browser open must not stop the work of a whole company out of it.
@reauthentication_required  # type: ignore[untyped-decorator]
def _everything(request: HttpRequest, actor: Person) -> HttpResponse:
    """Of every organisation that the actor administers."""
    owners = administered(actor)

    def act(reason: str) -> None:
        already = []
        for owner in owners:
            try:
                services.lock(actor=actor, organisation=owner.public_id, kind=Locked.EVERYTHING, reason=reason)
            except services.LockedAlready as error:
                already.append(error)
        if len(already) == len(owners):
            raise already[0]

    names = ", ".join(owner.name for owner in owners)
    return _ask(request, act, names, reverse("console:locks"), "lock_everything")


@page
def lift(request: HttpRequest, actor: Person, lock: str) -> HttpResponse:
    row = access.lock(actor, lock)
    services.require_lifting(actor, row)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(form, lambda: services.lift(actor=actor, lock=lock, **form.cleaned_data)):
        messages.success(request, _("The lock is lifted. Sessions that were cut stay cut; new ones may start."))
        return redirect("console:locks")
    return render(request, "console/lift_lock.html", {"form": form, "lock": row})
