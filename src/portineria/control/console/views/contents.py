# SPDX-License-Identifier: Apache-2.0
"""Whether recordings keep the contents of programs: what owner and supplier say of it, each for their own side."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portineria.control.console.page import page
from portineria.control.console.privacy_forms import ContentsForm
from portineria.control.identity.models import Person
from portineria.control.privacy import contents as agreements
from portineria.core.errors import NotFound


@page
def contents(request: HttpRequest, actor: Person) -> HttpResponse:
    """For staff, and for people of suppliers. For everybody else the page does not exist."""
    if not actor.staff_of and not actor.supplier_ids:
        raise NotFound(f"program contents, for {actor.public_id}")
    return render(request, "console/contents.html", {"rows": agreements.agreements(actor)})


@page
def agree(request: HttpRequest, actor: Person, supplier: str) -> HttpResponse:
    form = ContentsForm(request.POST or None)
    if form.is_valid():
        agreements.agree(actor=actor, supplier=supplier, keeps=form.cleaned_data["answer"] == "yes")
        messages.success(request, _("Saved. It holds for sessions that begin from now on."))
    elif supplier not in {each.supplier.public_id for each in agreements.agreements(actor)}:
        raise NotFound(f"supplier {supplier}")
    return redirect("console:contents")
