# SPDX-License-Identifier: Apache-2.0
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portineria.control.audit import queries as audit
from portineria.control.console import event_queries
from portineria.control.console.forms import EventFilter
from portineria.control.console.page import leaf, page
from portineria.control.identity.models import Person


@page
def events(request: HttpRequest, actor: Person) -> HttpResponse:
    form = EventFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {"code": "", "about": ""}
    found = audit.events(actor, code=wanted["code"], **event_queries.about_filter(wanted["about"]))
    rows = leaf(request, found)
    context = {
        "form": form,
        "rows": rows,
        "events": event_queries.event_rows(actor, audit.views(rows.object_list)),
        "filtered": bool(wanted["code"] or wanted["about"]),
    }
    return render(request, "console/events.html", context)
