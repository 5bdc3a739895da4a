# SPDX-License-Identifier: Apache-2.0
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portineria.control.console.forms import HeldForm
from portineria.control.console.page import attempt, page
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries
from portineria.control.remote_sessions.held import answer_held


@require_POST
@page
def answer(request: HttpRequest, actor: Person, held: str) -> HttpResponse:
    """The page of the session shows what became of it."""
    row = queries.held_operation(actor, held)
    form = HeldForm(request.POST)
    if form.is_valid() and attempt(form, lambda: answer_held(actor=actor, held=held, **form.cleaned_data)):
        said = _("Yes. The gateway is told.") if form.cleaned_data["allowed"] else _("No. The gateway is told.")
        messages.success(request, said)
    else:
        messages.error(request, " ".join(str(fault) for faults in form.errors.values() for fault in faults))
    return redirect("console:session", row.session.public_id)
