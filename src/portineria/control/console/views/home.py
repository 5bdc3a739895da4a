# SPDX-License-Identifier: Apache-2.0
from typing import Any

from django.core.paginator import Page
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portineria.control.console import queries
from portineria.control.console import work as steps
from portineria.control.console.entering_forms import PlantAddForm
from portineria.control.console.now import now
from portineria.control.console.page import leaf, page
from portineria.control.identity.models import Person
from portineria.control.remote_sessions.playback import decidable
from portineria.core.errors import NotFound

_PER_LIST = 15  # there are several on the page


@page
def work(request: HttpRequest, actor: Person) -> HttpResponse:
    """For whoever asks for access somewhere. For everybody else the page does not exist."""
    if not queries.asks_for_access(actor):
        raise NotFound(f"work, for {actor.public_id}")
    rows = steps.steps_leaf(actor, leaf(request, steps.machines(actor)))
    return render(request, "console/work.html", {"rows": rows})


@page
def home(request: HttpRequest, actor: Person) -> HttpResponse:
    def part(rows: Any, named: str) -> Page[Any]:
        return leaf(request, rows, _PER_LIST, named=named)

    shown = now(actor, part)
    context: dict[str, Any] = {"now": shown, "playbacks": decidable(actor)}
    if shown.staff:
        more = shown.more.paginator.count if shown.more else 0
        context["waiting_for_you"] = shown.decidable.paginator.count + len(shown.held) + more
    if shown.missing == "plant":
        owners = queries.administered(actor)
        context["plant_form"] = PlantAddForm(organisations=owners, initial={"time_zone": actor.time_zone})
    return render(request, "console/home.html", context)
