# SPDX-License-Identifier: Apache-2.0
"""Service accounts: programs of an organisation, whose tokens read, ask and cut, and never say yes for anybody."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.identity.authority import Actor, Operator, administers, organisation_of, require
from portineria.control.identity.models import ApiToken, Membership, Organisation, Person, Role
from portineria.control.identity.services import SERVICE_DOMAIN, BadField, clean_name
from portineria.core.errors import Conflict, NotFound
from portineria.core.ids import Kind, new_id

PREFIX = "portineria_"  # so that whoever finds one in a text, or searches texts for secrets, knows what it is
LONGEST_DAYS = 365
MOST_ACCOUNTS = 50  # of one organisation
MOST_TOKENS = 10  # of one account, that still work


class TooManyAccounts(Conflict):
    code = "identity.service-account.too-many"


class TooManyTokens(Conflict):
    code = "identity.api-token.too-many"


class AccountLocked(Conflict):
    code = "identity.service-account.locked"


@dataclass(frozen=True, slots=True)
class Powers:
    """What a token may do beyond reading; one that ``provisions`` speaks SCIM for a directory and does nothing else."""

    asks: bool = False
    operates: bool = False
    provisions: bool = False

    @property
    def scopes(self) -> list[str]:
        if self.provisions:
            return ["provision"]
        return ["read", *(["ask"] if self.asks else []), *(["operate"] if self.operates else [])]


@transaction.atomic
def create_service_account(*, actor: Actor, organisation: str, name: str) -> Person:
    """Raise TooManyAccounts."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)  # one after the other, for the number
    if Membership.objects.filter(organisation=owner, role=Role.SERVICE).count() >= MOST_ACCOUNTS:
        raise TooManyAccounts(f"{organisation} has {MOST_ACCOUNTS} already")
    public_id = new_id(Kind.PERSON)
    made = Person(public_id=public_id, name=clean_name(name), email=public_id + SERVICE_DOMAIN, is_service=True)
    made.set_unusable_password()
    made.save()
    Membership.objects.create(person=made, organisation=owner, role=Role.SERVICE)
    record(
        "identity.service-account.created", organisation=owner.public_id, actor=actor.public_id,
        about=made.public_id, person=made.public_id, name=made.name,
    )  # fmt: skip
    return made


def _locked(actor: Actor, account: str) -> Membership:
    rows = Membership.objects.select_for_update(of=("self",), no_key=True).select_related("person", "organisation")
    row = rows.filter(role=Role.SERVICE, person__public_id=account).first()
    if row is None:
        raise NotFound(f"service account {account}")
    require(actor, row.organisation_id, administers)
    return row


@transaction.atomic
def issue_token(
    *, actor: Actor, account: str, name: str, days: int, powers: Powers, key: bytes = b""
) -> tuple[str, ApiToken]:
    """Return the token, which is kept nowhere, and its row. ``key``: Ed25519; without its proof the token is worth
    nothing. Raise TooManyTokens, AccountLocked.
    """
    row = _locked(actor, account)
    if not row.person.enabled:
        raise AccountLocked(f"service account {account} is locked")
    if not 1 <= days <= LONGEST_DAYS:
        raise BadField("days", f"1 to {LONGEST_DAYS}", most=LONGEST_DAYS)
    if len(key) not in (0, 32):
        raise BadField("public_key", "32 bytes of Ed25519")
    if powers.provisions and (powers.asks or powers.operates or key):
        raise BadField("provisions", "nothing else besides, and no key: directories cannot sign")
    at = timezone.now()
    if ApiToken.objects.filter(person=row.person, revoked_at__isnull=True, expires_at__gt=at).count() >= MOST_TOKENS:
        raise TooManyTokens(f"service account {account} has {MOST_TOKENS} already")
    text = PREFIX + secrets.token_urlsafe(32)
    made = ApiToken.objects.create(
        person=row.person, token_sha256=hashlib.sha256(text.encode()).digest(), key=key,
        name=clean_name(name, characters=64), asks=powers.asks, operates=powers.operates, provisions=powers.provisions,
        created_at=at, expires_at=at + timedelta(days=days),
    )  # fmt: skip
    record(
        "identity.api-token.issued", organisation=row.organisation.public_id, actor=actor.public_id,
        about=row.person.public_id, person=row.person.public_id, token=made.public_id, name=made.name,
        scopes=" ".join(powers.scopes), expires_at=made.expires_at.isoformat(timespec="seconds"), bound=bool(key),
    )  # fmt: skip
    return text, made


@transaction.atomic
def revoke_api_token(*, actor: Actor, account: str, token: str) -> None:
    row = _locked(actor, account)
    found = ApiToken.objects.filter(person=row.person, public_id=token, revoked_at__isnull=True).first()
    if found is None:
        raise NotFound(f"token {token}")
    found.revoked_at = timezone.now()
    found.save(update_fields=["revoked_at"])
    record(
        "identity.api-token.revoked", organisation=row.organisation.public_id, actor=actor.public_id,
        person=account, token=token,
    )  # fmt: skip


def account_called(*, actor: Operator, name: str, organisation: str = "") -> Person:
    """For the server's own command line; ``organisation``: name or id. Raise NotFound where none or several fit."""
    found = Membership.objects.filter(role=Role.SERVICE, person__name=" ".join(name.split())).select_related("person")
    owner = Q(organisation__name=organisation) | Q(organisation__public_id=organisation)
    rows = list(found.filter(owner) if organisation else found)
    if len(rows) != 1:
        raise NotFound(f"{len(rows)} service accounts are called {name!r}, for {actor.public_id}")
    return rows[0].person
