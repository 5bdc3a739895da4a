# SPDX-License-Identifier: Apache-2.0
"""Service accounts: programs of an organisation, whose tokens read, ask and cut, and never say yes for anybody. One
kind of them are AI agents, which work at machines like a technician, and for which a named person answers.
"""

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
from portineria.control.identity.queries import PROGRAM
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
def create_service_account(*, actor: Actor, organisation: str, name: str, answered_by: str = "") -> Person:
    """``answered_by``: it is an AI agent, and that person answers for it: a technician of no firm, whom no rule admits
    that does not name it itself. Raise TooManyAccounts, NotFound.
    """
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    Organisation.objects.select_for_update(no_key=True).get(pk=owner.pk)  # one after the other, for the number
    if Membership.objects.filter(PROGRAM, organisation=owner).count() >= MOST_ACCOUNTS:
        raise TooManyAccounts(f"{organisation} has {MOST_ACCOUNTS} already")
    answering = _answering(owner, answered_by)
    public_id = new_id(Kind.PERSON)
    made = Person(
        public_id=public_id, name=clean_name(name), email=public_id + SERVICE_DOMAIN, is_service=True,
        answered_by=answering,
    )  # fmt: skip
    made.set_unusable_password()
    made.save()
    role = Role.SERVICE if answering is None else Role.TECHNICIAN
    Membership.objects.create(person=made, organisation=owner, role=role)
    record(
        "identity.service-account.created", organisation=owner.public_id, actor=actor.public_id,
        about=made.public_id, person=made.public_id, name=made.name,
        answered_by=answering.public_id if answering else "",
    )  # fmt: skip
    return made


def _answering(owner: Organisation, person: str) -> Person | None:
    if not person:
        return None
    found = Person.objects.filter(public_id=person, disabled_at__isnull=True, is_service=False)
    row = found.filter(memberships__organisation=owner).first()
    if row is None:
        raise NotFound(f"person {person}")
    return row


def _locked(actor: Actor, account: str) -> Membership:
    rows = Membership.objects.select_for_update(of=("self",), no_key=True).select_related("person", "organisation")
    row = rows.filter(PROGRAM, person__public_id=account).first()
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
    if len(key) not in (0, 32) or (row.person.is_agent and not key):
        raise BadField("public_key", "32 bytes of Ed25519")
    if powers.provisions and (powers.asks or powers.operates or key):
        raise BadField("provisions", "nothing else besides, and no key: directories cannot sign")
    if row.person.is_agent:
        powers = Powers(asks=True)  # as a technician does, and cuts nothing of others
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


def answering(person: Person) -> str:
    """Id of whoever answers for it, as an event of what it does says; empty for people."""
    return person.answered_by.public_id if person.answered_by is not None else ""


def account_called(*, actor: Operator, name: str, organisation: str = "") -> Person:
    """For the server's own command line; ``organisation``: name or id. Raise NotFound where none or several fit."""
    found = Membership.objects.filter(PROGRAM, person__name=" ".join(name.split())).select_related("person")
    owner = Q(organisation__name=organisation) | Q(organisation__public_id=organisation)
    rows = list(found.filter(owner) if organisation else found)
    if len(rows) != 1:
        raise NotFound(f"{len(rows)} service accounts are called {name!r}, for {actor.public_id}")
    return rows[0].person
