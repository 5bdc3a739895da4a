# SPDX-License-Identifier: Apache-2.0
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portineria.control.audit import queries as audit
from portineria.control.console import event_queries
from portineria.control.console.page import leaf, page
from portineria.control.identity.models import Person


@page
def events(request: HttpRequest, actor: Person) -> HttpResponse:
    form = event_queries.event_filter(actor, request.GET)
    rows = leaf(request, event_queries.filtered_events(actor, form))
    context = {
        "form": form,
        "rows": rows,
        "events": event_queries.event_rows(actor, audit.views(rows.object_list)),
        "filtered": form.narrows,
    }
    return render(request, "console/events.html", context)
