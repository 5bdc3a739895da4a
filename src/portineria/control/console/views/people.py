# SPDX-License-Identifier: Apache-2.0
from allauth.account.decorators import reauthentication_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from portineria.control.console import queries
from portineria.control.console.asking_twice import asking_twice
from portineria.control.console.forms import ReasonForm
from portineria.control.console.page import attempt, leaf, page
from portineria.control.console.people_queries import MemberRow, SupplierRow
from portineria.control.console.views import locks
from portineria.control.identity import queries as identity
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Membership, Person, Supplier
from portineria.control.identity.way_back import invite_again
from portineria.control.settings.start import current
from portineria.core.errors import NotFound


@page
def people(request: HttpRequest, actor: Person) -> HttpResponse:
    """Of the organisations whose staff the actor is. For everybody else the page does not exist."""
    if not actor.staff_of:
        raise NotFound(f"people, for {actor.public_id}")
    search = request.GET.get("q", "").strip()[:100]
    rows = leaf(request, identity.members(actor, search))
    firms = leaf(request, identity.own_suppliers(actor, search), named="suppliers")
    context = {
        "search": search,
        "rows": rows,
        "people": [MemberRow(row, actor) for row in rows],
        "firms": firms,
        "suppliers": [SupplierRow(row, row.people, actor) for row in firms],
        "several": len(actor.staff_of) > 1,
        "administers": queries.administers(actor),
    }
    return render(request, "console/people.html", context)


def _member(actor: Person, organisation: str, person: str) -> Membership:
    row = identity.member(actor, organisation, person)
    require(actor, row.organisation_id, administers)
    return row


def _whom(row: Membership) -> locks.Whom:
    return locks.Whom(row.person, row.organisation.public_id, row.supplier, reverse("console:people"))


def _supplier(actor: Person, supplier: str) -> Supplier:
    row = identity.own_supplier(actor, supplier)
    require(actor, row.organisation_id, administers)
    return row


@page
def lock(request: HttpRequest, actor: Person, organisation: str, person: str) -> HttpResponse:
    return locks.ask_lock_person(request, actor, _whom(_member(actor, organisation, person)))


@page
def unlock(request: HttpRequest, actor: Person, organisation: str, person: str) -> HttpResponse:
    return locks.ask_unlock_person(request, actor, _whom(_member(actor, organisation, person)))


@page
@asking_twice
def lock_supplier(request: HttpRequest, actor: Person, supplier: str) -> HttpResponse:
    return locks.ask_lock_supplier(request, actor, _supplier(actor, supplier), reverse("console:people"))


@page
def unlock_supplier(request: HttpRequest, actor: Person, supplier: str) -> HttpResponse:
    return locks.ask_unlock_supplier(request, actor, _supplier(actor, supplier), reverse("console:people"))


@never_cache
@page
def invite(request: HttpRequest, actor: Person, organisation: str, person: str) -> HttpResponse:
    answer: HttpResponse = _invite(request, actor, _whom(_member(actor, organisation, person)))
    return answer


# Whoever finds a browser open must not get other people's accounts out of it. Asked after who it is about was found,
# so that this question, too, betrays nothing.
@reauthentication_required  # type: ignore[untyped-decorator]
def _invite(request: HttpRequest, actor: Person, whom: locks.Whom) -> HttpResponse:
    """The link is in this one answer and nowhere else: it is not kept in clear, not even in the session."""
    form, made = ReasonForm(request.POST or None), list[str]()
    if form.is_valid() and attempt(
        form,
        lambda: made.append(invite_again(actor=actor, person=whom.person.public_id, **form.cleaned_data)),
    ):
        address = current().public_url.rstrip("/") + made[0]
        return render(request, "console/invited_again.html", {"whom": whom, "address": address})
    return render(request, "console/invite_again.html", {"form": form, "whom": whom})
