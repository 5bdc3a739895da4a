# SPDX-License-Identifier: Apache-2.0
"""Searches of the register that somebody keeps: opened with one click, by whoever made them or by all who read it."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portineria.control.console.event_forms import EventFilter
from portineria.control.console.page import page
from portineria.control.identity import saved_searches
from portineria.control.identity.models import Person
from portineria.control.identity.saved_models import NAME_CHARACTERS
from portineria.control.problem import problem_of
from portineria.core.errors import Conflict, Invalid


class SaveForm(forms.Form):
    name = forms.CharField(max_length=NAME_CHARACTERS, strip=True)
    organisation = forms.CharField(max_length=24)
    shared = forms.BooleanField(required=False)


@require_POST
@page
def add(request: HttpRequest, actor: Person) -> HttpResponse:
    """The search stands in the address, as on the page; what is no search of it is not kept."""
    asked, form = EventFilter(request.GET, actor=actor), SaveForm(request.POST)
    query = asked.address() if asked.is_valid() else ""
    try:
        if not form.is_valid():
            raise Invalid("a saved search without a name, or with a long one")
        saved_searches.save_search(actor=actor, query=query, **form.cleaned_data)
        messages.success(request, _("Saved. It stands above the events, to be opened with one click."))
    except (Invalid, Conflict) as error:
        messages.error(request, problem_of(error).detail)
    return redirect(f"{reverse('console:events')}?{query}")


@page
def show(request: HttpRequest, actor: Person, search: str) -> HttpResponse:
    found = saved_searches.search(actor, search)
    return redirect(f"{reverse('console:events')}?{found.query}")


@require_POST
@page
def remove(request: HttpRequest, actor: Person, search: str) -> HttpResponse:
    saved_searches.remove_search(actor=actor, search=search)
    messages.success(request, _("The saved search is gone."))
    return redirect("console:events")
