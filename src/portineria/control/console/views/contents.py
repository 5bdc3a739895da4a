# SPDX-License-Identifier: Apache-2.0
"""Whether recordings keep the contents of programs: what owner and supplier say of it, each for their own side."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from portineria.control.console.page import leaf, page
from portineria.control.console.privacy_forms import ContentsForm
from portineria.control.identity.models import Person
from portineria.control.privacy import contents as agreements
from portineria.core.errors import NotFound


@page
def contents(request: HttpRequest, actor: Person) -> HttpResponse:
    """For staff, and for people of suppliers. For everybody else the page does not exist."""
    if not actor.staff_of and not actor.supplier_ids:
        raise NotFound(f"program contents, for {actor.public_id}")
    rows = leaf(request, agreements.suppliers(actor))
    rows.object_list = agreements.agreements(actor, rows.object_list)
    return render(request, "console/contents.html", {"rows": rows})


@page
def agree(request: HttpRequest, actor: Person, supplier: str) -> HttpResponse:
    form = ContentsForm(request.POST or None)
    if form.is_valid():
        agreements.agree(actor=actor, supplier=supplier, keeps=form.cleaned_data["answer"] == "yes")
        messages.success(request, _("Saved. It holds for sessions that begin from now on."))
    elif not agreements.suppliers(actor).filter(public_id=supplier).exists():
        raise NotFound(f"supplier {supplier}")
    back = QueryDict(mutable=True)
    back["page"] = request.POST.get("page", "")
    return redirect(f"{reverse('console:contents')}?{back.urlencode()}" if back["page"] else "console:contents")
