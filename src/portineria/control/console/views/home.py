# SPDX-License-Identifier: Apache-2.0
from typing import Any

from django.core.paginator import Page
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portineria.control.console.now import now
from portineria.control.console.page import leaf, page
from portineria.control.identity.models import Person

_PER_LEAF = 25


@page
def home(request: HttpRequest, actor: Person) -> HttpResponse:
    def part(rows: Any, named: str) -> Page[Any]:
        return leaf(request, rows, _PER_LEAF, named=named)

    return render(request, "console/home.html", {"now": now(actor, part)})
