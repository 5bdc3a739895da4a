# SPDX-License-Identifier: Apache-2.0
"""What whoever has a shell on the server does with service accounts, by the names that people use."""

from collections.abc import Collection

from portineria.control.administration import organisation_called
from portineria.control.identity import service_accounts as services
from portineria.control.identity.authority import Operator
from portineria.control.identity.connector import unbase64
from portineria.control.identity.models import ApiToken, Person


def add(name: str, *, organisation: str) -> Person:
    """Raise WhichRegister, TooManyAccounts."""
    owner = organisation_called(organisation).public_id
    return services.create_service_account(actor=Operator(), organisation=owner, name=name)


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
