# SPDX-License-Identifier: Apache-2.0
"""Which labels a machine carries."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portineria.control.console.asking_twice import asking_twice, once_seen
from portineria.control.console.label_forms import LabelsForm
from portineria.control.console.page import attempt, page
from portineria.control.estate import queries as estate
from portineria.control.estate.labels import set_labels, words_of
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Person

_SHOWN = 30  # of those that others carry


@page
@asking_twice
def labels(request: HttpRequest, actor: Person, machine: str) -> HttpResponse:
    row = estate.machine(actor, machine)
    require(actor, row.plant.organisation_id, administers)
    form = LabelsForm(request.POST or None, initial={"labels": " ".join(words_of(row))})
    act = once_seen(
        request, lambda: set_labels(actor=actor, machine=row.public_id, **form.cleaned_data), actor=actor,
        organisation=row.plant.organisation_id,
    )  # fmt: skip
    if form.is_valid() and attempt(form, act):
        messages.success(request, _("The labels are saved. Rules that name one hold for this machine at once."))
        return redirect("console:machine", row.public_id)
    there = estate.labels(actor).filter(organisation=row.plant.organisation_id).values_list("word", flat=True)
    return render(request, "console/machine_labels.html", {"form": form, "machine": row, "there": list(there[:_SHOWN])})
