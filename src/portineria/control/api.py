# SPDX-License-Identifier: Apache-2.0
"""The HTTP interface of gateways and connectors. Nothing here approves anything: tokens cannot (WIRE 21)."""

from typing import Any

from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import RawPostDataException
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from portineria.control.access.api import router as access
from portineria.control.access.extension_api import router as extensions
from portineria.control.access.training_api import router as trainings
from portineria.control.console.evidence_api import router as evidence
from portineria.control.declaration.document import Faulty
from portineria.control.estate.api import router as estate
from portineria.control.identity.api import router as identity
from portineria.control.identity.connector import BadToken
from portineria.control.identity.middleware import note
from portineria.control.identity.models import Person
from portineria.control.privacy.api import router as privacy
from portineria.control.problem import of_database, problem_of
from portineria.control.remote_sessions.api import router as remote_sessions
from portineria.control.remote_sessions.recording_api import router as recordings
from portineria.control.remote_sessions.second_yes import SecondYes
from portineria.core.errors import Invalid, NotFound, PortineriaError

api = NinjaAPI(title="Portineria", version="1", urls_namespace="api", docs_url=None)
api.add_router("", identity)
api.add_router("", estate)
api.add_router("", access)
api.add_router("", privacy)
api.add_router("", trainings)
api.add_router("", extensions)
api.add_router("", remote_sessions)
api.add_router("", recordings)
api.add_router("", evidence)


class Unreadable(Invalid):
    """A body or parameter that is not what the operation takes."""


def _actor(request: HttpRequest) -> Person | None:
    """Of a connector's token, or of a caller of the REST API."""
    person = getattr(getattr(request, "auth", None), "person", None)
    return person if isinstance(person, Person) else None


def refused(request: HttpRequest, error: PortineriaError) -> HttpResponse:
    note(request, error, _actor(request))
    problem = problem_of(error)
    body = {
        "type": f"urn:portineria:problem:{problem.code}", "status": problem.status,
        "code": problem.code, "title": problem.title, "detail": problem.detail,
    }  # fmt: skip
    if isinstance(error, SecondYes):
        error.pause()
        body["sessions"] = error.ids
    if isinstance(error, Faulty):
        body["faults"] = list(error.faults)
    response = JsonResponse(body, status=problem.status, content_type="application/problem+json")
    response["Cache-Control"] = "no-store"
    if problem.status == 401:
        response["WWW-Authenticate"] = "Portineria"
    if problem.status in (429, 503):
        response["Retry-After"] = str(error.values.get("seconds", 2))
    return response


def _refused(request: HttpRequest, error: PortineriaError) -> HttpResponse:
    return refused(request, error)


def _busy(request: HttpRequest, error: DatabaseError) -> HttpResponse:
    known = of_database(error)
    if known is None:
        raise error
    return refused(request, known)


def _absent(request: HttpRequest, error: Http404) -> HttpResponse:
    return refused(request, NotFound(str(error)))


def _unreadable(request: HttpRequest, error: ValidationError) -> HttpResponse:
    places: list[Any] = [".".join(str(step) for step in fault["loc"]) for fault in error.errors]
    return refused(request, Unreadable(f"unreadable: {places}"[:500]))


def _garbled(request: HttpRequest, error: HttpError) -> HttpResponse:
    """A body that is no JSON at all."""
    return refused(request, Unreadable(str(error)))


def _a_form(request: HttpRequest, error: RawPostDataException) -> HttpResponse:
    """What looked for the token against forgery has read it as one."""
    return refused(request, Unreadable("a form, and no JSON"))


def _unknown(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return refused(request, BadToken("no token"))


def handle_errors(of: NinjaAPI) -> None:
    of.exception_handler(PortineriaError)(_refused)
    of.exception_handler(DatabaseError)(_busy)
    of.exception_handler(Http404)(_absent)
    of.exception_handler(ValidationError)(_unreadable)
    of.exception_handler(HttpError)(_garbled)
    of.exception_handler(RawPostDataException)(_a_form)
    of.exception_handler(AuthenticationError)(_unknown)


handle_errors(api)
