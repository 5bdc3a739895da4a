# SPDX-License-Identifier: Apache-2.0
"""Whoever is inside a customer makes every request as their analyst there; their own account stays theirs."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from portineria.control.api import refused
from portineria.control.identity.inside import INSIDE, acting
from portineria.control.identity.middleware import problem_page
from portineria.control.identity.models import Person
from portineria.core.errors import NotFound

_OWN = ("/account/", "/accounts/", "/connect/", "/language/", "/static/")  # of whoever is signed in, wherever they are


class InsideMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        person = getattr(request, "user", None)
        customer = request.session.get(INSIDE) if isinstance(person, Person) else None
        if not isinstance(person, Person) or not customer:
            return self._get_response(request)
        analyst = acting(person, customer)
        if analyst is None and not request.path.startswith(_OWN):
            # What was meant for the customer must not happen in the person's own organisation instead.
            del request.session[INSIDE]
            gone = NotFound(f"inside {customer}, for {person.public_id}")
            return refused(request, gone) if request.path.startswith("/api/") else problem_page(request, gone)
        request.inside = analyst  # type: ignore[attr-defined]
        if analyst is not None and not request.path.startswith(_OWN):
            request.user = analyst

            async def user() -> Person:
                return analyst

            request.auser = user
        return self._get_response(request)
