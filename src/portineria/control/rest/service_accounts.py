# SPDX-License-Identifier: Apache-2.0
"""Service accounts, AI agents among them, and their tokens. A token is in the one answer that makes it."""

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.identity import queries
from portineria.control.identity import service_accounts as services
from portineria.control.identity.api_tokens import powers_of
from portineria.control.identity.authority import administers, require
from portineria.control.identity.connector import unbase64
from portineria.control.identity.models import ApiToken, Membership, Person
from portineria.control.identity.service_accounts import LONGEST_DAYS, Powers
from portineria.control.rest.caller import Scope, person_of, require_recent_proof
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, acts, reads, tries

router = Router(tags=["service accounts"])


class AccountView(Schema):
    account: str
    organisation: str
    name: str
    enabled: bool
    working_tokens: int
    answered_by: str | None = Field(description="Of an AI agent: the person who answers for it.")


class TokenView(Schema):
    token: str
    name: str
    scopes: list[str]
    bound: bool
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    used_from: str
    revoked_at: datetime | None


def _account_view(row: Membership) -> AccountView:
    return AccountView(
        account=row.person.public_id, organisation=row.organisation.public_id, name=row.person.name,
        enabled=row.person.enabled, working_tokens=row.__dict__["tokens"],  # by ``queries.service_accounts``
        answered_by=row.person.answered_by.public_id if row.person.answered_by else None,
    )  # fmt: skip


@reads(router, "/service-accounts", Leaf[AccountView])
def accounts(request: HttpRequest, place: Where) -> Leaf[AccountView]:
    actor = person_of(request)
    found = queries.service_accounts(actor)
    return leaf(actor, "service-accounts", found, place, lambda rows: [_account_view(row) for row in rows])


def _token_view(row: ApiToken) -> TokenView:
    return TokenView(
        token=row.public_id, name=row.name, scopes=powers_of(row).scopes, bound=bool(row.key),
        created_at=row.created_at, expires_at=row.expires_at, used_at=row.used_at, used_from=row.address,
        revoked_at=row.revoked_at,
    )  # fmt: skip


@reads(router, "/service-accounts/{account}/tokens", Leaf[TokenView])
def tokens(request: HttpRequest, account: Id, place: Where) -> Leaf[TokenView]:
    """Newest first; what a token is, never the token."""
    actor = person_of(request)
    row = queries.service_account(actor, account)
    return leaf(
        actor, f"tokens {row.pk}", queries.api_tokens(actor, account), place,
        lambda found: [_token_view(token) for token in found], newest_first=True,
    )  # fmt: skip


class NewAccount(Given):
    """``answered_by``: id of the person who answers for it; it is an AI agent then."""

    organisation: str = Field(max_length=24)
    name: str = Field(min_length=1, max_length=120)
    answered_by: str = Field(default="", max_length=24)


@acts(router, "/service-accounts", AccountView, Scope.ADMINISTER)
def account_add(request: HttpRequest, given: NewAccount) -> AccountView:
    """It can do nothing until it has a token."""
    actor = person_of(request)
    made = services.create_service_account(actor=actor, **given.model_dump())
    return _account_view(queries.service_account(actor, made.public_id))


def _changeable(actor: Person, account: str) -> Membership:
    row = queries.service_account(actor, account)
    require(actor, row.organisation_id, administers)
    return row


class NewToken(Given):
    """``name``: where it will lie. ``public_key``: Ed25519, base64url; the token is worth nothing without its proof."""

    name: str = Field(min_length=1, max_length=64)
    days: int = Field(default=90, ge=1, le=LONGEST_DAYS)
    asks: bool = False
    operates: bool = False
    provisions: bool = False
    public_key: str = Field(default="", max_length=64)

    def taken(self) -> dict[str, object]:
        """As the service takes it; raise BadField."""
        powers = Powers(self.asks, self.operates, self.provisions)
        key = unbase64(self.public_key, "public_key", size=32) if self.public_key else b""
        return {"name": self.name, "days": self.days, "powers": powers, "key": key}


class TokenMade(TokenView):
    """``secret``: what the program sends. It is in this answer and nowhere else."""

    secret: str


@tries(router, "/service-accounts/{account}/tokens", TokenMade, Scope.ADMINISTER)
def token_add(request: HttpRequest, account: Id, given: NewToken) -> TokenMade:
    """Wants the password or second factor to have been given a moment ago in this browser. No key keeps its answer."""
    actor = person_of(request)
    _changeable(actor, account)
    require_recent_proof(request)
    secret, row = services.issue_token(actor=actor, account=account, **given.taken())  # type: ignore[arg-type]
    return TokenMade(**_token_view(row).dict(), secret=secret)


@acts(router, "/service-accounts/{account}/tokens/{token}/end", TokenView, Scope.ADMINISTER)
def token_end(request: HttpRequest, account: Id, token: Id) -> TokenView:
    """Whoever has it is refused from now on."""
    actor = person_of(request)
    _changeable(actor, account)
    services.revoke_api_token(actor=actor, account=account, token=token)
    return _token_view(queries.api_tokens(actor, account).get(public_id=token))
