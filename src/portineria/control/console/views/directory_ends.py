# SPDX-License-Identifier: Apache-2.0
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portineria.control.console import queries
from portineria.control.console.forms import DirectoryEndForm
from portineria.control.console.page import attempt, leaf, page
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import directory_end_queries as queries_of
from portineria.control.remote_sessions.directory_ends import answer_directory_end
from portineria.core.errors import NotFound


@page
def listed(request: HttpRequest, actor: Person) -> HttpResponse:
    if not queries.is_staff(actor):
        raise NotFound(f"directory ends, for {actor.public_id}")
    rows = leaf(request, queries_of.directory_ends(actor), 10)
    context = {"rows": rows, "at": timezone.now(), "administers": queries.administers(actor)}
    return render(request, "console/directory_ends.html", context)


@require_POST
@page
def answer(request: HttpRequest, actor: Person, directory_end: str) -> HttpResponse:
    """To the sessions that the page listed."""
    shown = queries_of.directory_end(actor, directory_end).public_id
    form, confirm = DirectoryEndForm(request.POST), request.POST.get("confirm", "").split()
    if form.is_valid() and attempt(
        form,
        lambda: answer_directory_end(actor=actor, directory_end=shown, confirm=confirm, **form.cleaned_data),
    ):
        ended = form.cleaned_data["end"]
        messages.success(request, _("Yes. They are being ended.") if ended else _("No. They go on."))
    else:
        messages.error(request, " ".join(str(fault) for faults in form.errors.values() for fault in faults))
    return redirect("console:directory-ends")
