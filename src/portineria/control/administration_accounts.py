# SPDX-License-Identifier: Apache-2.0
"""What whoever has a shell on the server does with service accounts, by the names that people use."""

from collections.abc import Collection

from portineria.control.administration import organisation_called
from portineria.control.identity import service_accounts as services
from portineria.control.identity.authority import Operator
from portineria.control.identity.connector import unbase64
from portineria.control.identity.models import ApiToken, Person
from portineria.core.errors import NotFound


def add(name: str, *, organisation: str, answered_by: str = "") -> Person:
    """``answered_by``: of an AI agent, the e-mail address. Raise WhichRegister, TooManyAccounts, NotFound."""
    owner = organisation_called(organisation).public_id
    row = Person.objects.filter(email=answered_by.strip().lower()).first() if answered_by else None
    if answered_by and row is None:
        raise NotFound(f"nobody has the address {answered_by!r}")
    answering = row.public_id if row is not None else ""
    return services.create_service_account(actor=Operator(), organisation=owner, name=name, answered_by=answering)


def _account(name: str, organisation: str) -> str:
    return services.account_called(actor=Operator(), name=name, organisation=organisation).public_id


def token(
    name: str, *, organisation: str, place: str, days: int, may: Collection[str], public_key: str = ""
) -> tuple[str, ApiToken]:
    """Return the token itself, and its row."""
    return services.issue_token(
        actor=Operator(), account=_account(name, organisation), name=place, days=days,
        powers=services.Powers(asks="ask" in may, operates="operate" in may, provisions="provision" in may),
        key=unbase64(public_key, "public_key", size=32) if public_key else b"",
    )  # fmt: skip


def end_token(name: str, *, organisation: str, token: str) -> None:
    services.revoke_api_token(actor=Operator(), account=_account(name, organisation), token=token)
