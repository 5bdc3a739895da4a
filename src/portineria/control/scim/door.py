# SPDX-License-Identifier: Apache-2.0
"""Who may speak SCIM with us, and how it is answered (RFC 7644, 2 and 3.12)."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from pydantic import ValidationError
from scim2_models import Error, InvalidSyntaxException, NotFoundException, NotImplementedException, SCIMException

from portineria.control.identity.api_tokens import authenticate_bearer, is_api_token, note_act, note_use
from portineria.control.identity.connector import BadToken
from portineria.control.identity.middleware import keep_place, note
from portineria.control.identity.models import ApiToken, Person
from portineria.control.problem import of_database, problem_of
from portineria.control.rest import limits
from portineria.control.scim.resources import PROVIDER
from portineria.core.errors import Invalid, PortineriaError

TYPE = "application/scim+json"
View = Callable[..., HttpResponse]


def answer(body: Any, status: int = 200) -> HttpResponse:
    """``body``: as SCIM writes it already."""
    said = b"" if body is None else json.dumps(body).encode()
    response = HttpResponse(said, status=status, content_type=TYPE)
    response["Cache-Control"] = "no-store"
    version = body.get("meta", {}).get("version") if isinstance(body, dict) else None
    if version:
        response["ETag"] = version
    return response


def scim(**views: View) -> Callable[..., HttpResponse]:
    """One address: method → view, which is given the request and the service account behind the token."""

    @csrf_exempt
    @wraps(next(iter(views.values())))
    def answered(request: HttpRequest, **places: str) -> HttpResponse:
        person: Person | None = None
        try:
            token = _token(request)
            person = token.person
            view = views.get(request.method or "")
            if view is None:
                return _refused(Error(status=405, detail="not a method of this address"))
            if request.method not in ("GET", "HEAD"):
                note_act(token, f"{request.method} {request.path}"[:200], _address(request))
            with PROVIDER:
                return view(request, person, **places)
        except SCIMException as error:
            return _refused(error.to_error())
        except ValidationError as error:
            return _refused(Error.from_validation_errors(error)[0])
        except DatabaseError as error:
            known = of_database(error)
            if known is None:
                raise
            return _of_ours(request, known, person)
        except PortineriaError as error:
            return _of_ours(request, error, person)

    return answered


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR") or "")


def _token(request: HttpRequest) -> ApiToken:
    """Raise BadToken, TooMany. A token for anything else is no token here."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not is_api_token(text):
        raise BadToken("no token of a service account")
    at = timezone.now()
    row = authenticate_bearer(text, at=at)
    if not row.provisions:
        raise BadToken("a token for something else")
    limits.take(row.person.public_id)
    keep_place(request, row.person)
    note_use(row, _address(request), at)
    return row


def _of_ours(request: HttpRequest, error: PortineriaError, person: Person | None) -> HttpResponse:
    note(request, error, person)
    problem = problem_of(error)
    kind = "uniqueness" if error.code == "name.taken" else "invalidValue" if isinstance(error, Invalid) else None
    status = 400 if isinstance(error, Invalid) and problem.status == 422 else problem.status
    response = _refused(Error(status=status, scim_type=kind, detail=problem.detail))
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="scim"'
    if status in (429, 503):
        response["Retry-After"] = str(error.values.get("seconds", 2))
    return response


def _refused(error: Error) -> HttpResponse:
    return answer(error.model_dump(), error.status or 400)


def body_of(request: HttpRequest) -> dict[str, Any]:
    """Raise InvalidSyntaxException."""
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise InvalidSyntaxException(detail="not JSON") from error
    if not isinstance(found, dict):
        raise InvalidSyntaxException(detail="not a JSON object")
    return found


def nowhere(request: HttpRequest, person: Person, **places: str) -> HttpResponse:
    raise NotFoundException(detail="nothing is here")


def not_offered(request: HttpRequest, person: Person, **places: str) -> HttpResponse:
    raise NotImplementedException(detail="this server does not offer it")
