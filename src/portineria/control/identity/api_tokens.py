# SPDX-License-Identifier: Apache-2.0
"""Who calls the API with a token of a service account."""

import hashlib
from datetime import datetime, timedelta

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.identity import use
from portineria.control.identity.connector import BadToken, Proof, check_proof
from portineria.control.identity.models import ApiToken, Person
from portineria.control.identity.queries import organisations_of_person
from portineria.control.identity.service_accounts import PREFIX, Powers

_NOTED_AGAIN = timedelta(seconds=60)


def is_api_token(text: str) -> bool:
    return text.startswith(PREFIX)


def powers_of(row: ApiToken) -> Powers:
    return Powers(row.asks, row.operates, row.provisions)


def authenticate_bearer(token: str, *, at: datetime) -> ApiToken:
    """Raise BadToken; one that is bound to a key never comes alone."""
    row = _alive(token, at)
    if row.key:
        raise BadToken("this token is bound to a key")
    return row


def authenticate_bound(proof: Proof, *, method: str, path: str, body: bytes, at: datetime) -> ApiToken:
    """Raise BadToken, BadClock, UsedAgain: as for a connector's (``connector.authenticate``)."""
    row = _alive(proof.token, at)
    if not row.key:
        raise BadToken("this token is bound to no key")
    check_proof(row, proof, method=method, path=path, body=body, at=at)
    return row


def _alive(token: str, at: datetime) -> ApiToken:
    digest = hashlib.sha256(token.encode()).digest()
    rows = ApiToken.objects.filter(token_sha256=digest, revoked_at__isnull=True).select_related("person__answered_by")
    row = rows.first()
    if row is None or row.expired(at) or not row.person.enabled:
        raise BadToken("unknown, expired or revoked token")
    if row.person.answered_by is not None and not row.person.answered_by.enabled:
        raise BadToken("whoever answered for this agent is locked")
    return row


def note_use(row: ApiToken, address: str, at: datetime) -> None:
    """When and from where it was used last; from another place than before it is an event. At most once a minute."""
    use.note_use(row.person, at)
    if row.used_at is not None and timedelta(0) <= at - row.used_at < _NOTED_AGAIN:
        return
    elsewhere = row.used_at is None or row.address != address
    row.used_at, row.address = at, address
    with transaction.atomic():
        row.save(update_fields=["used_at", "address"])
        if elsewhere:
            _record("used", row.person, token=row.public_id, address=address)


@transaction.atomic
def note_act(row: ApiToken, operation: str, address: str) -> None:
    """Before it is tried: the event of what was done says which account, this one by which token and from where."""
    _record("acted", row.person, token=row.public_id, operation=operation, address=address)


def _record(what: str, person: Person, **fields: str) -> None:
    for organisation in organisations_of_person(person):
        record(
            f"identity.api-token.{what}", organisation=organisation, actor=person.public_id, person=person.public_id,
            **fields,
        )  # fmt: skip
