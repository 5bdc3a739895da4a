# SPDX-License-Identifier: Apache-2.0
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from portineria.control.access import jobs
from portineria.control.access import queries as access
from portineria.control.console import whereabouts
from portineria.control.console.jobs import JobForm, context
from portineria.control.console.page import attempt, page
from portineria.control.identity.models import Person


@require_POST
@page
def write(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = access.request(actor, public_id)
    form = JobForm(request.POST, request.FILES, parties=jobs.parties(actor, row))
    if form.is_valid() and attempt(form, lambda: jobs.write(actor=actor, request=public_id, **form.written())):
        return redirect("console:request", public_id)
    shown = {"asked": row, "place": whereabouts.place(actor, row.machine), **context(actor, row, form)}
    return render(request, "console/job.html", shown)


@require_GET
@page
def file(request: HttpRequest, actor: Person, public_id: str, entry: str) -> HttpResponse:
    """Only ever as an attachment, and of no type that a browser would show."""
    row = jobs.take_file(actor=actor, request=public_id, entry=entry)
    answer = HttpResponse(bytes(row.content), content_type="application/octet-stream")
    answer.headers["Content-Disposition"] = f'attachment; filename="{row.public_id}.{row.file_kind}"'
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
