# SPDX-License-Identifier: Apache-2.0
"""Who calls, and how far: a person's browser, a person's connector, or a token of a service account.

Only a browser approves, administers and speaks for a person: behind it sits somebody who has just shown a second factor
(decision 0055).
"""

from dataclasses import dataclass
from enum import StrEnum

from django.http import HttpRequest
from django.utils import timezone
from ninja.utils import check_csrf

from portineria.control.identity.api import path_as_sent
from portineria.control.identity.api_tokens import (
    authenticate_bearer,
    authenticate_bound,
    is_api_token,
    note_use,
    powers_of,
)
from portineria.control.identity.connector import BadToken, authenticate, read_proof
from portineria.control.identity.fresh_factor import missing, proved_again
from portineria.control.identity.inside import HEADER, acting
from portineria.control.identity.middleware import keep_place
from portineria.control.identity.models import ApiToken, Person
from portineria.control.rest import limits
from portineria.core.errors import Denied, NotFound


class Scope(StrEnum):
    READ = "read"
    ASK = "ask"
    OPERATE = "operate"
    ADMINISTER = "administer"
    APPROVE = "approve"
    PERSONAL = "personal"  # what somebody does about themselves, in a browser
    PROVISION = "provision"  # of no operation here: a directory speaks SCIM (control/scim)


_BROWSER = frozenset(Scope)
_CONNECTOR = frozenset({Scope.READ, Scope.ASK, Scope.OPERATE})


class ScopeMissing(Denied):
    """The message names the scope."""

    code = "api.scope"


class Forged(Denied):
    code = "api.forged"


class ProveAgain(Denied):
    code = "api.prove-again"


@dataclass(frozen=True, slots=True)
class Caller:
    person: Person
    scopes: frozenset[Scope]
    token: ApiToken | None = None


class Needs:
    """Authentication of one operation."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Caller:
        """Raise BadToken, Forged, TooMany, ScopeMissing, NotFound."""
        authorisation = request.headers.get("Authorization", "")
        found = _inside(request, _by_token(request, authorisation)) if authorisation else _by_browser(request)
        limits.take(found.person.public_id)
        keep_place(request, found.person)
        request.auth = found  # type: ignore[attr-defined]  # a denial is recorded with whose it was
        if self.scope not in found.scopes:
            raise ScopeMissing(f"this needs {self.scope}")
        return found


def address_of(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR") or "")


def _by_token(request: HttpRequest, authorisation: str) -> Caller:
    kind, _, text = authorisation.partition(" ")
    at, method = timezone.now(), request.method or ""
    if kind == "Bearer":
        row = authenticate_bearer(text, at=at)
    else:
        proof = read_proof(authorisation, request.headers.get("Portineria-Proof", ""))
        signed = {"method": method, "path": path_as_sent(request), "body": request.body}
        if not is_api_token(proof.token):
            return Caller(authenticate(proof, **signed, at=at).person, _CONNECTOR)  # type: ignore[arg-type]
        row = authenticate_bound(proof, **signed, at=at)  # type: ignore[arg-type]
    note_use(row, address_of(request), at)
    return Caller(row.person, frozenset(Scope(scope) for scope in powers_of(row).scopes), row)


def _inside(request: HttpRequest, found: Caller) -> Caller:
    """A person's program says in each request for which customer of their provider it is. Raise NotFound."""
    customer = request.headers.get(HEADER)
    if not customer:
        return found
    analyst = acting(found.person, customer) if found.token is None else None
    if analyst is None:
        raise NotFound("inside a customer that delegates nothing to you")
    return Caller(analyst, found.scopes)


def _by_browser(request: HttpRequest) -> Caller:
    person = request.user
    if not isinstance(person, Person) or missing(request, person) is not None:
        raise BadToken("no token, and nobody signed in")
    if check_csrf(request) is not None:
        raise Forged("a browser sends X-CSRFToken with whatever it changes")
    return Caller(person, _BROWSER)


def caller_of(request: HttpRequest) -> Caller:
    found: Caller = request.auth  # type: ignore[attr-defined]
    return found


def person_of(request: HttpRequest) -> Person:
    return caller_of(request).person


def require_recent_proof(request: HttpRequest) -> None:
    """As the console asks where whoever finds a browser open could take something out of it. Raise ProveAgain."""
    if not proved_again(request, timezone.now()):
        raise ProveAgain("no password or second factor was given a moment ago")
