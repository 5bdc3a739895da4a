# SPDX-License-Identifier: Apache-2.0
"""The template of an organisation: keep one, see what differs from it now, apply it."""

from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from portineria.control.console.page import page
from portineria.control.console.template_forms import TemplateForm
from portineria.control.declaration import template as services
from portineria.control.declaration.document import Faulty
from portineria.control.declaration.operation import ChangedMeanwhile, hold
from portineria.control.identity.authority import administers, organisation_of, require
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.template_models import Template
from portineria.core.errors import NotFound


def _owner(actor: Person, organisation: str) -> Organisation:
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    return owner


def _shown(request: HttpRequest, actor: Person, owner: Organisation, **more: Any) -> HttpResponse:
    row = services.template_of(actor, owner)
    return render(request, "console/template.html", {"owner": owner, "row": row, "form": TemplateForm(), **more})


@page
def template(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    owner = _owner(actor, organisation)
    if request.method != "POST":
        return _shown(request, actor, owner)
    form = TemplateForm(request.POST, request.FILES)
    if not form.is_valid():
        return _shown(request, actor, owner, form=form)
    try:
        services.keep(actor=actor, owner=owner, content=form.cleaned_data["file"].read())
    except Faulty as error:
        return _shown(request, actor, owner, faults=error.faults)
    messages.success(request, _("Kept. Nothing was changed: compare it first."))
    return redirect("console:template", organisation)


@never_cache
@require_POST
@page
def compare(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    """A rehearsal that is taken back: nobody makes somebody else's browser do it by a link."""
    owner = _owner(actor, organisation)
    row = services.template_of(actor, owner)
    if row is None:
        raise NotFound(f"template of {organisation}")
    try:
        proposal = services.drift(actor, row)
        hold(proposal)
    except Faulty as error:
        return _shown(request, actor, owner, faults=error.faults)
    return _shown(request, actor, owner, proposal=proposal, seal=services.seal(row, proposal))


@never_cache
@require_POST
@page
def apply(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    """The addresses of new people are in this one answer and nowhere else."""
    owner = _owner(actor, organisation)
    row = services.template_of(actor, owner)
    if row is None:
        raise NotFound(f"template of {organisation}")
    answer: HttpResponse = _applied(request, actor, row)
    return answer


@reauthentication_required  # type: ignore[untyped-decorator]
def _applied(request: HttpRequest, actor: Person, row: Template) -> HttpResponse:
    """Whoever finds a browser open must not make administrators out of it."""
    owner = row.organisation
    try:
        invited = services.apply_template(actor=actor, template=row, seen=request.POST.get("seal", ""))
    except Faulty as error:
        return _shown(request, actor, owner, faults=error.faults)
    except ChangedMeanwhile:
        messages.error(request, _("Nothing was applied: something else differs by now. Compare again."))
        return redirect("console:template", owner.public_id)
    return _shown(request, actor, owner, applied=True, invited=sorted(invited.items()))
