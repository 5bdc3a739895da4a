# SPDX-License-Identifier: Apache-2.0
"""Locking and unlocking, from a session's page and from the list of people: the same questions, two ways back."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from portineria.control.access.firm import firm_under
from portineria.control.console.asking_twice import asking_twice, once_seen
from portineria.control.console.forms import ReasonForm
from portineria.control.console.page import attempt, page
from portineria.control.identity.authority import administers, require
from portineria.control.identity.lock_out import lock_out
from portineria.control.identity.models import Person, Supplier
from portineria.control.identity.services import set_person_enabled, set_supplier_enabled
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Session


@dataclass(frozen=True, slots=True)
class Whom:
    """Somebody as one organisation knows them, and where whoever asks came from."""

    person: Person
    organisation: str
    supplier: Supplier | None
    back: str


def ask_lock_person(request: HttpRequest, actor: Person, whom: Whom) -> HttpResponse:
    """Out of this organisation: a matter of security, so everything is cut at once."""
    form, name = ReasonForm(request.POST or None), {"name": whom.person.name}
    person, organisation, entirely = whom.person.public_id, whom.organisation, list[bool]()
    if form.is_valid() and attempt(
        form,
        lambda: entirely.append(lock_out(actor=actor, person=person, organisation=organisation, **form.cleaned_data)),
    ):
        said = _("%(name)s is locked. Open sessions are being cut.") % name
        gone = _("%(name)s works for others too, and is no member of yours any more. Open sessions are being cut.")
        messages.success(request, said if entirely == [True] else gone % name)
        return redirect(whom.back)
    return render(request, "console/lock_person.html", {"form": form, "whom": whom})


def ask_unlock_person(request: HttpRequest, actor: Person, whom: Whom) -> HttpResponse:
    form, person = ReasonForm(request.POST or None), whom.person.public_id
    if form.is_valid() and attempt(
        form, lambda: set_person_enabled(actor=actor, person=person, enabled=True, **form.cleaned_data)
    ):
        said = _("%(name)s is unlocked and may sign in again. Sessions that were cut stay cut.")
        messages.success(request, said % {"name": whom.person.name})
        return redirect(whom.back)
    return render(request, "console/unlock_person.html", {"form": form, "whom": whom})


def ask_lock_supplier(request: HttpRequest, actor: Person, supplier: Supplier, back: str) -> HttpResponse:
    form = ReasonForm(request.POST or None)

    def act() -> Supplier:
        return set_supplier_enabled(actor=actor, supplier=supplier.public_id, enabled=False, **form.cleaned_data)

    if form.is_valid() and attempt(form, once_seen(request, act, actor=actor, organisation=supplier.organisation_id)):
        messages.success(request, _("%(name)s is locked. Open sessions are being cut.") % {"name": supplier.name})
        return redirect(back)
    return render(request, "console/lock_supplier.html", {"form": form, "supplier": supplier, "back": back})


def ask_unlock_supplier(request: HttpRequest, actor: Person, supplier: Supplier, back: str) -> HttpResponse:
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form,
        lambda: set_supplier_enabled(actor=actor, supplier=supplier.public_id, enabled=True, **form.cleaned_data),
    ):
        said = _("%(name)s is unlocked: its people may come in again. Sessions that were cut stay cut.")
        messages.success(request, said % {"name": supplier.name})
        return redirect(back)
    return render(request, "console/unlock_supplier.html", {"form": form, "supplier": supplier, "back": back})


def _session(actor: Person, public_id: str) -> Session:
    row = remote_sessions.session(actor, public_id)
    require(actor, row.organisation_id, administers)
    return row


def _whom(row: Session) -> Whom:
    back = reverse("console:session", args=[row.public_id])
    firm = firm_under(row.grant.rule, row.person, row.organisation_id)
    return Whom(row.person, row.organisation.public_id, firm, back)


@page
def lock_person(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    """Whoever works in this session."""
    return ask_lock_person(request, actor, _whom(_session(actor, public_id)))


@page
def unlock_person(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    return ask_unlock_person(request, actor, _whom(_session(actor, public_id)))


@page
@asking_twice
def lock_supplier(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    """Everybody of the supplier through whose rule this session came."""
    row = _session(actor, public_id)
    return ask_lock_supplier(request, actor, remote_sessions.supplier_of(row), _whom(row).back)


@page
def unlock_supplier(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = _session(actor, public_id)
    return ask_unlock_supplier(request, actor, remote_sessions.supplier_of(row), _whom(row).back)
