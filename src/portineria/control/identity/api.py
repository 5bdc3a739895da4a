# SPDX-License-Identifier: Apache-2.0
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field, field_validator

from portineria.control.identity import keys, queries
from portineria.control.identity.api_tokens import authenticate_bound, is_api_token, note_use
from portineria.control.identity.connector import BadToken, authenticate, base64url, exchange, read_proof, unbase64
from portineria.control.identity.middleware import keep_place
from portineria.control.identity.models import ApiToken, ConnectorToken, Person

router = Router(tags=["connector"])


class Asked(Schema):
    """What a program sends. PostgreSQL keeps no U+0000 in a text and knows no text that has one."""

    @field_validator("*", mode="before")
    @classmethod
    def _storable(cls, value: object) -> object:
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("U+0000 in a text")
        return value


class Problem(Schema):
    """RFC 9457; ``code`` is ours, and stays the same whatever the language."""

    type: str
    status: int
    code: str
    title: str
    detail: str


ERRORS = dict.fromkeys((401, 403, 404, 409, 422, 503), Problem)


def connector(request: HttpRequest) -> ConnectorToken | ApiToken:
    """Authentication of every operation for people and AI agents: the token, and the proof of the key it is bound to.
    Programs of other kinds have no business at machines.
    """
    proof = read_proof(request.headers.get("Authorization", ""), request.headers.get("Portineria-Proof", ""))
    method = request.method or ""
    path = path_as_sent(request)
    signed: dict[str, Any] = {"method": method, "path": path, "body": request.body, "at": timezone.now()}
    row = authenticate_bound(proof, **signed) if is_api_token(proof.token) else authenticate(proof, **signed)
    if isinstance(row, ApiToken):
        if not row.person.is_agent:
            raise BadToken("no token of a person or an agent")
        note_use(row, str(request.META.get("REMOTE_ADDR") or ""), signed["at"])
    keep_place(request, row.person)
    return row


def path_as_sent(request: HttpRequest) -> str:
    """What was signed is what was sent; decoding and encoding again may write the same path otherwise."""
    scope = getattr(request, "scope", None)
    if scope is None or not scope.get("raw_path"):
        return request.get_full_path()
    path, query = scope["raw_path"].decode("latin-1"), scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path


def token_of(request: HttpRequest) -> ConnectorToken | ApiToken:
    token: ConnectorToken | ApiToken = request.auth  # type: ignore[attr-defined]
    return token


def person_of(request: HttpRequest) -> Person:
    return token_of(request).person


class TokenRequest(Asked):
    code: str = Field(max_length=128)
    verifier: str = Field(max_length=256)
    signature: str = Field(max_length=128)


class Token(Schema):
    token: str
    person: str
    name: str
    expires_at: datetime


@router.post("/connector/token", auth=None, response={200: Token, **ERRORS})
def token(request: HttpRequest, asked: TokenRequest) -> Token:
    signature = unbase64(asked.signature, "signature", size=64)
    text, row = exchange(code=asked.code, verifier=asked.verifier, signature=signature)
    return Token(token=text, person=row.person.public_id, name=row.person.name, expires_at=row.expires_at)


class Trust(Schema):
    root: str
    issuers: dict[str, str]


class MemberOf(Schema):
    organisation: str
    name: str
    role: str


class Me(Schema):
    person: str
    name: str
    language: str
    time_zone: str
    organisations: list[MemberOf]
    trust: Trust
    expires_at: datetime  # of the token that asks


def trust() -> Trust:
    return Trust(
        root=base64url(keys.root()),
        issuers={kind: base64url(certificate) for kind, certificate in keys.issuers().items()},
    )


@router.get("/me", auth=connector, response={200: Me, **ERRORS})
def me(request: HttpRequest) -> Me:
    person = person_of(request)
    roles = queries.roles(person)
    return Me(
        person=person.public_id,
        name=person.name,
        language=person.language,
        time_zone=person.time_zone,
        organisations=[
            MemberOf(organisation=row.public_id, name=row.name, role=roles[row.public_id].value)
            for row in queries.organisations(person)
        ],
        trust=trust(),
        expires_at=request.auth.expires_at,  # type: ignore[attr-defined]
    )
