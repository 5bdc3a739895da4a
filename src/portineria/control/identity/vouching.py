# SPDX-License-Identifier: Apache-2.0
"""What a provider's word does here: lets somebody in, gives and takes the membership that rests on it.

A provider speaks within its own organisation only. Somebody who belongs to another one too does not come in by it:
whoever runs a provider can say that they are anybody whom it knows, and would be them elsewhere as well.
"""

from dataclasses import dataclass

from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet

from portineria.control.audit import services as audit
from portineria.control.identity.authority import SYSTEM, Actor
from portineria.control.identity.claims import Refusal, Vouched, role_of
from portineria.control.identity.directory_queries import awaited
from portineria.control.identity.groups import forget_claims, take_claims
from portineria.control.identity.models import Membership, Person
from portineria.control.identity.provider_models import GroupRole, IdentityProvider, ProviderDomain
from portineria.control.identity.proving import keep
from portineria.control.identity.services import end_sign_ins, new_person
from portineria.core.errors import Conflict, NotFound


class OnlyWayIn(Conflict):
    code = "identity.account.only-way-in"


@dataclass(frozen=True, slots=True)
class Trial:
    """What a sign-in would have led to."""

    vouched: Vouched
    role: GroupRole | Refusal


def _locked(provider: str) -> IdentityProvider | None:
    """One sign-in after the other, and none beside whoever disables it."""
    rows = IdentityProvider.objects.select_for_update(of=("self",), no_key=True).select_related("organisation")
    return rows.filter(public_id=provider, disabled_at__isnull=True).first()


@transaction.atomic
def admit(*, provider: str, vouched: Vouched, address: str) -> Person | Refusal:
    """Refusals are values: what they changed stays changed. ``address``: of the browser, for the register."""
    row = _locked(provider)
    if row is None:
        return Refusal.GONE
    account = SocialAccount.objects.filter(provider=provider, uid=vouched.subject).select_related("user").first()
    found = _known(row, account.user, vouched) if account else _unknown(row, vouched)
    if isinstance(found, Refusal):
        record_refusal(row, found, email=vouched.email, address=address)
    else:
        take_claims(row, found, vouched)
        keep(row, found, vouched.factor)
    return found


def record_refusal(row: IdentityProvider, why: Refusal, *, email: str = "", address: str) -> None:
    audit.record(
        "identity.sign-in.refused", organisation=row.organisation.public_id, actor=row.public_id, about="unknown",
        provider=row.public_id, why=why.value, email=email, address=address,
    )  # fmt: skip


@transaction.atomic
def note_refusal(*, provider: str, why: Refusal, address: str) -> None:
    """Of an answer that says nothing about anybody."""
    row = IdentityProvider.objects.select_related("organisation").filter(public_id=provider).first()
    if row is not None:
        record_refusal(row, why, address=address)


def _known(row: IdentityProvider, person: Person, vouched: Vouched) -> Person | Refusal:
    if not person.enabled:
        return Refusal.LOCKED
    if person.memberships.exclude(organisation=row.organisation_id).exists():
        return Refusal.ELSEWHERE
    membership = person.memberships.select_for_update(no_key=True).filter(organisation=row.organisation_id).first()
    if membership is not None and membership.given_by_id is None:
        return person  # somebody here gave it: the provider only says who this is
    given = role_of(vouched, _roles(row))
    if isinstance(given, GroupRole):
        _give(row, person, membership, given)
        return person
    if given is not Refusal.GROUPS_ELSEWHERE:  # of those we know nothing, neither that they grew nor that they shrank
        end_given(person.memberships.filter(given_by__provider=row), actor=SYSTEM, why=given.value)
    return given


def _roles(row: IdentityProvider) -> QuerySet[GroupRole]:
    return row.group_roles.select_related("supplier").order_by("pk")


def _give(row: IdentityProvider, person: Person, membership: Membership | None, given: GroupRole) -> None:
    membership = membership or Membership(person=person, organisation=row.organisation)
    changed = (membership.role, membership.supplier_id) != (given.role, given.supplier_id)
    if changed or membership.given_by_id != given.pk:
        membership.role, membership.supplier, membership.given_by = given.role, given.supplier, given
        membership.save()
    if changed:
        audit.record(
            "identity.membership.vouched", organisation=row.organisation.public_id, actor=row.public_id,
            about=person.public_id, person=person.public_id, provider=row.public_id, role=given.role,
            supplier=given.supplier.public_id if given.supplier else "", group=given.group,
        )  # fmt: skip


def _unknown(row: IdentityProvider, vouched: Vouched) -> Person | Refusal:
    """Somebody's first sign-in. An address that is somebody's here already proves nothing, unless the organisation's
    own directory made that account and nobody has come in by it yet.
    """
    if (person := awaited(row.organisation, vouched.email)) is not None:
        return _awaited(row, person, vouched)
    given = role_of(vouched, _roles(row))
    if isinstance(given, Refusal):
        return given
    if (why := _address_refused(row, vouched.email)) is not None:
        return why
    person = new_person(vouched.name or vouched.email.partition("@")[0], vouched.email, "", "UTC")
    audit.record(
        "identity.person.created", organisation=row.organisation.public_id, actor=row.public_id,
        about=person.public_id, person=person.public_id, role=given.role,
        supplier=given.supplier.public_id if given.supplier else "", name=person.name, email=person.email,
    )  # fmt: skip
    _connect(row, person, vouched.subject)
    _give(row, person, None, given)
    return person


def _awaited(row: IdentityProvider, person: Person, vouched: Vouched) -> Person | Refusal:
    if not _of_a_confirmed_domain(row, vouched.email):
        return Refusal.OTHER_DOMAIN
    if not person.enabled:
        return Refusal.LOCKED
    _connect(row, person, vouched.subject)
    return person


def _of_a_confirmed_domain(row: IdentityProvider, email: str) -> bool:
    domain = email.rpartition("@")[2]
    return ProviderDomain.objects.filter(provider=row, domain=domain, confirmed_at__isnull=False).exists()


def _address_refused(row: IdentityProvider, email: str) -> Refusal | None:
    try:
        validate_email(email)
    except ValidationError:
        return Refusal.NO_ADDRESS
    if not _of_a_confirmed_domain(row, email):
        return Refusal.OTHER_DOMAIN
    return Refusal.ADDRESS_TAKEN if Person.objects.filter(email=email).exists() else None


def _connect(row: IdentityProvider, person: Person, subject: str) -> None:
    SocialAccount.objects.create(user=person, provider=row.public_id, uid=subject)
    audit.record(
        "identity.account.connected", organisation=row.organisation.public_id, actor=person.public_id,
        person=person.public_id, provider=row.public_id,
    )  # fmt: skip


@transaction.atomic
def connect(*, actor: Person, provider: str, vouched: Vouched) -> Refusal | None:
    """Somebody who is signed in here otherwise, and was a moment ago, adds an identity to their account."""
    row = _locked(provider)
    if row is None:
        return Refusal.GONE
    if set(actor.memberships.values_list("organisation_id", flat=True)) != {row.organisation_id}:
        return Refusal.ELSEWHERE
    theirs = SocialAccount.objects.filter(provider=provider, user=actor).first()
    others = SocialAccount.objects.filter(provider=provider, uid=vouched.subject).exclude(user=actor)
    if others.exists() or (theirs is not None and theirs.uid != vouched.subject):
        return Refusal.CONNECTED
    if theirs is None:
        _connect(row, actor, vouched.subject)
    return None


@transaction.atomic
def disconnect(*, actor: Person, provider: str) -> None:
    """Raise OnlyWayIn for somebody who could not sign in any more."""
    account = SocialAccount.objects.filter(provider=provider, user=actor).first()
    row = IdentityProvider.objects.select_related("organisation").filter(public_id=provider).first()
    if account is None or row is None:
        raise NotFound(f"account at {provider}")
    if not actor.has_usable_password():
        raise OnlyWayIn(f"{actor.public_id} has no password")
    mine = Membership.objects.filter(person=actor, given_by__provider=row)
    end_given(mine, actor=actor, why="disconnected")
    forget_claims(actor.public_id, row, actor)
    row.provided_factors.filter(person=actor).delete()
    account.delete()
    audit.record(
        "identity.account.disconnected", organisation=row.organisation.public_id, actor=actor.public_id,
        person=actor.public_id, provider=provider,
    )  # fmt: skip


def tried(row: IdentityProvider, vouched: Vouched) -> Trial:
    return Trial(vouched, role_of(vouched, _roles(row)))


def end_given(memberships: QuerySet[Membership], *, actor: Actor | str, why: str) -> int:
    """Inside a transaction: what rests on a provider's word ends, a matter of security; its people sign in again.

    Somebody here who administers by their own right remains, which ``services`` sees to: nobody is asked for here.
    """
    rows = list(
        memberships.select_for_update(of=("self",), no_key=True)
        .select_related("person", "organisation", "supplier", "given_by__provider")
        .order_by("pk")
    )
    for row in rows:
        given = row.given_by
        assert given is not None  # noqa: S101  # by the callers' queries
        row.delete()
        end_sign_ins(row.person)
        audit.record(
            "identity.membership.lapsed", organisation=row.organisation.public_id,
            actor=actor if isinstance(actor, str) else actor.public_id, about=row.person.public_id,
            person=row.person.public_id, provider=given.provider.public_id, role=row.role, why=why,
        )  # fmt: skip
    return len(rows)


def end_sign_ins_by(provider: IdentityProvider) -> None:
    """Of everybody whom it knows: also of those whose membership somebody here gave."""
    for account in SocialAccount.objects.filter(provider=provider.public_id).select_related("user").order_by("pk"):
        end_sign_ins(account.user)
