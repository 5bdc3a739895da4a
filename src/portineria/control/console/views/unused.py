# SPDX-License-Identifier: Apache-2.0
"""Who does not come any more, and what closed by itself because of that."""

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from portineria.control.console import queries
from portineria.control.console.page import attempt, leaf, page
from portineria.control.console.people_queries import UnusedRow, administers
from portineria.control.console.unused_forms import UnusedDaysForm
from portineria.control.identity import unused as services
from portineria.control.identity.authority import administers as may_administer
from portineria.control.identity.authority import require
from portineria.control.identity.models import Person
from portineria.control.remote_sessions.unused import spared
from portineria.core.errors import NotFound


@page
def unused(request: HttpRequest, actor: Person) -> HttpResponse:
    """Of the organisations whose staff the actor is. For everybody else the page does not exist."""
    if not actor.staff_of:
        raise NotFound(f"unused accounts, for {actor.public_id}")
    rows = leaf(request, services.unused(actor, timezone.now()))
    kept = spared(rows)
    closed = leaf(request, services.closed(actor), named="closed")
    context = {
        "rows": rows, "unused": [UnusedRow(row, row.pk in kept) for row in rows], "closed": closed,
        "closed_rows": [(row, administers(actor, row.organisation_id)) for row in closed],
        "owners": [(row, administers(actor, row.pk)) for row in services.closing(actor)],
        "several": len(actor.staff_of) > 1, "administers": queries.administers(actor),
    }  # fmt: skip
    return render(request, "console/unused.html", context)


@page
def days(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    row = services.closing(actor).filter(public_id=organisation).first()
    if row is None:
        raise NotFound(f"organisation {organisation}")
    require(actor, row.pk, may_administer)
    form = UnusedDaysForm(request.POST or None, initial=UnusedDaysForm.of(row))
    if form.is_valid() and attempt(
        form, lambda: services.set_unused_days(actor=actor, organisation=organisation, days=form.given)
    ):
        messages.success(request, _("Set. Whoever it concerns is told two weeks before anything closes."))
        return redirect("console:unused")
    return render(request, "console/unused_days.html", {"form": form, "owner": row})


@page
def reopen(request: HttpRequest, actor: Person, organisation: str, closed: str) -> HttpResponse:
    rows = services.closed(actor).filter(organisation__public_id=organisation, person__public_id=closed)
    row = rows.first()
    if row is None:
        raise NotFound(f"person {closed}")
    require(actor, row.organisation_id, may_administer)
    form = Form(request.POST if request.method == "POST" else None)
    if form.is_valid() and attempt(
        form, lambda: services.reopen(actor=actor, organisation=organisation, person=closed)
    ):  # fmt: skip
        messages.success(request, _("Opened again, as it was. Groups have to be given anew."))
        return redirect("console:unused")
    return render(request, "console/reopen.html", {"form": form, "row": row})
