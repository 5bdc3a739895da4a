# SPDX-License-Identifier: Apache-2.0
"""What every request of a browser passes: the person's language, the second factor, and the one error handler."""

import sys
from collections.abc import Callable

import structlog
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import get_template, select_template
from django.utils import timezone, translation
from django.views.defaults import server_error

from portineria.control.identity.attempts import record_denial
from portineria.control.identity.authority import DeniedHere
from portineria.control.identity.fresh_factor import SET_UP, missing
from portineria.control.identity.models import Person
from portineria.control.problem import of_database, problem_of
from portineria.core.errors import Denied, PortineriaError
from portineria.core.time_zones import zone_or_utc

log = structlog.get_logger()
Answer = Callable[[HttpRequest], HttpResponse]
# Where somebody without a second factor may go: to set one up, or out.
_OPEN_PATHS = (
    "/accounts/company/",
    "/accounts/login/",
    "/accounts/logout/",
    "/api/",  # programs prove themselves otherwise
    "/language/",
    "/scim/",
    "/static/",
)
_SET_UP_PATHS = ("/accounts/2fa/", "/accounts/password/change/", "/accounts/reauthenticate/")


class PersonalLanguageMiddleware:
    """The person's own choice; before they made one, and before sign-in, that of the browser or of its cookie."""

    def __init__(self, get_response: Answer) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        person = getattr(request, "user", None)
        chosen = person.language if isinstance(person, Person) else ""
        language = chosen or translation.get_language_from_request(request)
        zone = person.time_zone if isinstance(person, Person) else "UTC"
        request.LANGUAGE_CODE = language
        with translation.override(language), timezone.override(zone_or_utc(zone)):
            response = self._get_response(request)
        response.headers.setdefault("Content-Language", language)
        response.headers.setdefault("Vary", "Accept-Language")
        return response


class SecondFactorMiddleware:
    """Nothing but the set-up of a second factor is open to somebody who has none, and nothing but the way to their
    company's sign-in to somebody who has one there, and has not shown it in this browser.
    """

    def __init__(self, get_response: Answer) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        person = getattr(request, "user", None)
        if isinstance(person, Person) and not request.path.startswith(_OPEN_PATHS):
            way = missing(request, person)
            if way is not None and not (way == SET_UP and request.path.startswith(_SET_UP_PATHS)):
                return redirect(way)
            keep_place(request, person)
        return self._get_response(request)


class ProblemMiddleware:
    """Turns an error of ours into a page. A denial is recorded here, after its transaction was rolled back."""

    def __init__(self, get_response: Answer) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        known = of_database(error) if isinstance(error, DatabaseError) else error
        return problem_page(request, known) if isinstance(known, PortineriaError) else None


def broken(request: HttpRequest) -> HttpResponse:
    """The last resort, also for what fails before any view: while the database is away nobody can be recognised."""
    error = sys.exc_info()[1]
    known = of_database(error) if isinstance(error, DatabaseError) else None
    if known is None:
        return server_error(request)
    log.error("database.away", why=str(error))
    problem = problem_of(known)
    page = get_template("identity/problem.html").render({"problem": problem})
    return HttpResponse(page, status=problem.status, headers={"Retry-After": "2"})


def problem_page(request: HttpRequest, error: PortineriaError) -> HttpResponse:
    note(request, error, getattr(request, "user", None))
    problem = problem_of(error)
    template = select_template([f"problem/{problem.status}.html", "problem/problem.html", "identity/problem.html"])
    return HttpResponse(template.render({"problem": problem}, request), status=problem.status)


def keep_place(request: HttpRequest, person: Person) -> None:
    """The connection belongs to somebody known: strangers cannot drive it away (console_places)."""
    place = getattr(request, "scope", {}).get("state", {}).get("place")
    if place is not None:
        place.prove(person.public_id)


def note(request: HttpRequest, error: PortineriaError, actor: "Person | AnonymousUser | None") -> None:
    """For operators into the log; a denial into the ledger as well. Also called by the API."""
    log.info("request.refused", code=error.code, why=str(error), method=request.method, path=request.path)
    if isinstance(error, Denied) and isinstance(actor, Person):
        what, address = f"{request.method} {request.path}", str(request.META.get("REMOTE_ADDR") or "")
        where = error.organisation_id if isinstance(error, DeniedHere) else None
        try:
            record_denial(actor=actor, why=error.code, what=what, address=address, organisation_id=where)
        except OperationalError as busy_error:  # the refusal stands all the same
            log.warning("denial.not-recorded", why=str(busy_error))
