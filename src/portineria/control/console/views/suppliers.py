# SPDX-License-Identifier: Apache-2.0
"""One supplier: what its standing is, what it was before, and an assessment that is entered."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portineria.control.console.asking_twice import asking_twice, once_seen
from portineria.control.console.page import attempt, leaf, page
from portineria.control.console.people_queries import SupplierRow
from portineria.control.console.standing_forms import AssessForm
from portineria.control.identity import queries as identity
from portineria.control.identity import standing
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Person


@page
def supplier(request: HttpRequest, actor: Person, supplier: str) -> HttpResponse:
    """For staff of the organisation that has it; for its own people the page does not exist."""
    row = identity.own_supplier(actor, supplier)
    rows = leaf(request, standing.standings(actor, supplier))
    people: int = row.__dict__["people"]  # by ``queries.own_suppliers``
    context = {"row": SupplierRow(row, people, actor), "rows": rows, "kept": standing.kept(list(rows))}
    return render(request, "console/supplier.html", context)


@page
@asking_twice
def assess(request: HttpRequest, actor: Person, supplier: str) -> HttpResponse:
    row = identity.own_supplier(actor, supplier)
    require(actor, row.organisation_id, administers)
    form = AssessForm(request.POST or None)

    def act() -> object:
        return standing.assess_supplier(actor=actor, supplier=supplier, **form.given)

    if form.is_valid() and attempt(form, once_seen(request, act, actor=actor, organisation=row.organisation_id)):
        messages.success(request, _("Saved. It counts from now on; what a rule no longer allows by it is ending."))
        return redirect("console:supplier", supplier)
    return render(request, "console/supplier_assess.html", {"form": form, "supplier": row})
