# SPDX-License-Identifier: Apache-2.0
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portineria.control.console import queries
from portineria.control.console.page import page
from portineria.control.identity.models import Person


@page
def home(request: HttpRequest, actor: Person) -> HttpResponse:
    return render(request, "console/home.html", {"now": queries.now(actor)})
