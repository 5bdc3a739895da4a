# SPDX-License-Identifier: Apache-2.0
"""Plants, each as a picture of what stands in it and who is inside."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portineria.control.console import queries
from portineria.control.console.page import leaf, page
from portineria.control.console.plant_map import plant_map, plants_with_figures
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Person
from portineria.core.errors import NotFound


@page
def plants(request: HttpRequest, actor: Person) -> HttpResponse:
    """For whoever knows what stands where; for everybody else the page does not exist. The only one is opened."""
    if not actor.sees(Power.ESTATE):
        raise NotFound(f"plants, for {actor.public_id}")
    rows = leaf(request, plants_with_figures(actor).order_by("name", "pk"))
    if rows.paginator.count == 1:
        return redirect("console:plant", rows.object_list[0].public_id)
    return render(request, "console/plants.html", {"rows": rows, "administers": queries.administers(actor)})


@page
def plant(request: HttpRequest, actor: Person, plant: str) -> HttpResponse:
    shown = plant_map(actor, plant, lambda lines, per_leaf: leaf(request, lines, per_leaf))
    return render(request, "console/plant.html", {"map": shown, "plant": shown.plant})
