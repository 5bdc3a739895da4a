# SPDX-License-Identifier: Apache-2.0
"""Setting identity providers up, and taking their word away again: then everything that rests on it ends."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.utils import timezone

from portineria.control.audit import services as audit
from portineria.control.identity import openid
from portineria.control.identity.authority import Actor, Operator, administers, organisation_of, require
from portineria.control.identity.claims import Refusal
from portineria.control.identity.groups import forget_claims
from portineria.control.identity.models import Membership, Organisation, Role, Supplier
from portineria.control.identity.provider_http import NoAnswer
from portineria.control.identity.provider_kinds import saml_room
from portineria.control.identity.provider_models import (
    GROUP_CHARACTERS,
    GroupRole,
    IdentityProvider,
    ProviderDomain,
    ProviderKind,
)
from portineria.control.identity.provider_secret import wrapped
from portineria.control.identity.said_factor import LEVELS_CHARACTERS
from portineria.control.identity.services import BadField, NameTaken, clean_name
from portineria.control.identity.vouching import end_given, end_sign_ins_by
from portineria.core.errors import Conflict, NotFound, Unavailable

NAME_CHARACTERS = 60
MOST_PROVIDERS, MOST_DOMAINS, MOST_GROUPS = 16, 32, 200  # of one organisation, of one provider
_FIELD = 200
# Labels of RFC 1035, 2.3.1, at least two; internationalised ones in their ASCII form.
_LEVEL = re.compile(r"[A-Za-z0-9:/._~#?=+,@%-]{1,200}")  # a word, or an address: it stands in requests as it is
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class TooMany(Conflict):
    code = "identity.provider.too-many"


class DomainTaken(Conflict):
    code = "identity.domain.taken"


class NotReached(Unavailable):
    """``values`` say why."""

    code = "identity.provider.not-reached"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.values = {"why": why[:300]}


class ManyTenants(Conflict):
    """Microsoft's addresses for several directories have no issuer: it differs with each of them."""

    code = "identity.provider.many-tenants"


@dataclass(frozen=True, slots=True)
class OpenIdSettings:
    address: str
    client_id: str
    client_secret: str = ""
    scopes: str = openid.STANDARD_SCOPES
    groups_claim: str = "groups"


def reach(address: str) -> str:
    """The issuer that this address has, once its document and keys can be read. Raise NotReached, ManyTenants."""
    try:
        document = openid.discovered(address)
        openid.signing_keys(document)
    except NoAnswer as error:
        raise NotReached(str(error)) from error
    if "{" in document["issuer"]:
        raise ManyTenants(document["issuer"])
    if len(document["issuer"]) > _FIELD:
        raise BadField("address", "its issuer is too long")
    return document["issuer"]


def add_openid(
    *, actor: Actor, organisation: str, name: str, settings: OpenIdSettings, domains: Iterable[str] = ()
) -> IdentityProvider:
    """Asks it first who it is, outside any transaction. Raise NotReached, ManyTenants, BadField, NameTaken, TooMany."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    kept = {
        "address": clean_name(settings.address, "address", characters=_FIELD),
        "client_id": clean_name(settings.client_id, "client_id", characters=_FIELD),
        "scopes": _scopes(settings.scopes),
    }  # fmt: skip
    made = IdentityProvider(
        organisation=owner, kind=ProviderKind.OPENID, name=clean_name(name, characters=NAME_CHARACTERS),
        issuer=reach(kept["address"]), settings=kept, groups_claim=_claim(settings.groups_claim),
    )  # fmt: skip
    if settings.client_secret.strip():
        made.wrapped = _wrapped(made, settings.client_secret)
    return _keep(actor, made, domains)


def add_saml(
    *, actor: Actor, organisation: str, name: str, address: str, groups_claim: str, domains: Iterable[str] = ()
) -> IdentityProvider:
    """By the provider's metadata, read now: issuer, address and certificates. Raise as ``add_openid``, and NoSaml."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    made = IdentityProvider(
        organisation=owner, kind=ProviderKind.SAML, name=clean_name(name, characters=NAME_CHARACTERS),
        groups_claim=_claim(groups_claim),
    )  # fmt: skip
    _take_metadata(made, clean_name(address, "address", characters=_FIELD))
    return _keep(actor, made, domains)


def _take_metadata(row: IdentityProvider, address: str) -> None:
    try:
        found = saml_room().read_metadata(address)
    except NoAnswer as error:
        raise NotReached(str(error)) from error
    if row.issuer and row.issuer != found["entity"]:
        raise NotReached(f"it calls itself {found['entity']} now")
    if len(found["entity"]) > _FIELD:
        raise BadField("address", "its name is too long")
    row.issuer = found["entity"]
    row.settings = {"address": address, "sso_url": found["sso_url"], "certificates": found["certificates"]}


def refresh_saml(*, actor: Actor, provider: str) -> None:
    """Read the metadata anew: another certificate, or another address; never another name. Raise NotReached."""
    seen = IdentityProvider.objects.filter(public_id=provider, kind=ProviderKind.SAML).first()
    if seen is None:
        raise NotFound(f"SAML provider {provider}")
    require(actor, seen.organisation_id, administers)
    _take_metadata(seen, str(seen.settings["address"]))
    with transaction.atomic():
        row = _changeable(actor, provider)
        row.settings = seen.settings
        row.save(update_fields=["settings"])
        _record("identity.provider.refreshed", actor, row)


def _claim(text: str) -> str:
    return clean_name(text, "groups_claim") if text.strip() else ""


def _wrapped(row: IdentityProvider, secret: str) -> bytes:
    return wrapped(row.public_id, clean_name(secret, "client_secret", characters=_FIELD))


def _scopes(text: str) -> str:
    return clean_name(" ".join(dict.fromkeys(["openid", *text.split()])), "scopes", characters=_FIELD)


@transaction.atomic
def _keep(actor: Actor, made: IdentityProvider, domains: Iterable[str]) -> IdentityProvider:
    # One after the other: two with one name would both find none.
    Organisation.objects.select_for_update(no_key=True).get(pk=made.organisation_id)
    mine = IdentityProvider.objects.filter(organisation=made.organisation_id)
    if mine.filter(name=made.name).exists() or mine.filter(issuer=made.issuer).exists():
        raise NameTaken(f"provider {made.name!r} or {made.issuer!r}")
    if mine.count() >= MOST_PROVIDERS:
        raise TooMany(f"{MOST_PROVIDERS} providers")
    made.save()
    _record("identity.provider.added", actor, made, kind=made.kind, name=made.name, issuer=made.issuer)
    for domain in domains:
        claim_domain(actor=actor, provider=made.public_id, domain=domain)
    return made


def _record(code: str, actor: Actor, row: IdentityProvider, **fields: str) -> None:
    audit.record(
        code, organisation=row.organisation.public_id, actor=actor.public_id, about="", provider=row.public_id, **fields
    )


def _changeable(actor: Actor, provider: str) -> IdentityProvider:
    rows = IdentityProvider.objects.select_for_update(of=("self",), no_key=True).select_related("organisation")
    row = rows.filter(public_id=provider).first()
    if row is None:
        raise NotFound(f"provider {provider}")
    require(actor, row.organisation_id, administers)
    return row


@transaction.atomic
def note_tried(*, actor: Actor, provider: str, outcome: GroupRole | Refusal) -> None:
    told = {"why": outcome.value} if isinstance(outcome, Refusal) else {"role": outcome.role}
    _record("identity.provider.tried", actor, _changeable(actor, provider), **told)


@transaction.atomic
def replace_secret(*, actor: Actor, provider: str, secret: str) -> None:
    row = _changeable(actor, provider)
    row.wrapped = _wrapped(row, secret)
    row.save(update_fields=["wrapped"])
    _record("identity.provider.secret-replaced", actor, row)


@transaction.atomic
def set_factor(*, actor: Actor, provider: str, counts: bool, levels: str = "") -> int:
    """Whether a second factor that it shows is taken for one here, and which levels (``FactorTerms``). Other terms than
    before: its people sign in anew, and what rests on a factor shown under the old ones ends. Return whose: how many.

    Raise BadField.
    """
    row = _changeable(actor, provider)
    before, kept = (row.factor_counts, row.factor_levels), " ".join(dict.fromkeys(levels.split())) if counts else ""
    if len(kept) > LEVELS_CHARACTERS or not all(_LEVEL.fullmatch(level) for level in kept.split()):
        raise BadField("levels", "names of levels, between spaces")
    if before == (counts, kept):
        return 0
    row.factor_counts, row.factor_levels = counts, kept
    row.save(update_fields=["factor_counts", "factor_levels"])
    ended = row.provided_factors.all().delete()[0]
    if before[0]:
        end_sign_ins_by(row)
    audit.record(
        "identity.provider.factor-changed", organisation=row.organisation.public_id, actor=actor.public_id, about="",
        provider=row.public_id, second_factor=counts, levels=kept,
    )  # fmt: skip
    return ended


@transaction.atomic
def disable(*, actor: Actor, provider: str, reason: str) -> int:
    """A matter of security: what rests on its word ends, its people are signed out. Return how many memberships."""
    row = _changeable(actor, provider)
    if not row.enabled:
        raise Conflict(f"provider {provider} is disabled already")
    row.disabled_at = timezone.now()
    row.save(update_fields=["disabled_at"])
    _record("identity.provider.disabled", actor, row, reason=clean_name(reason, "reason"))
    return _end_what_rests_on(row, actor, "provider-disabled")


@transaction.atomic
def enable(*, actor: Actor, provider: str, reason: str) -> None:
    """Its people get back what their groups give them when they sign in."""
    row = _changeable(actor, provider)
    if row.enabled:
        raise Conflict(f"provider {provider} is enabled already")
    row.disabled_at = None
    row.save(update_fields=["disabled_at"])
    _record("identity.provider.enabled", actor, row, reason=clean_name(reason, "reason"))


@transaction.atomic
def withdraw(*, actor: Actor, provider: str, reason: str) -> int:
    """As ``disable``, for good: its secret, its groups and who is who there are destroyed."""
    row = _changeable(actor, provider)
    _record("identity.provider.withdrawn", actor, row, name=row.name, reason=clean_name(reason, "reason"))
    ended = _end_what_rests_on(row, actor, "provider-withdrawn")
    SocialAccount.objects.filter(provider=row.public_id).delete()
    row.delete()
    return ended


def _end_what_rests_on(row: IdentityProvider, actor: Actor, why: str) -> int:
    ended = end_given(Membership.objects.filter(given_by__provider=row), actor=actor, why=why)
    forget_claims(actor.public_id, row)
    end_sign_ins_by(row)
    return ended


@transaction.atomic
def map_group(*, actor: Actor, provider: str, group: str, role: Role, supplier: str = "") -> GroupRole:
    """An empty group is everybody whom the provider knows: operators or technicians only. Raise NameTaken."""
    row = _changeable(actor, provider)
    group = clean_name(group, "group", characters=GROUP_CHARACTERS) if group.strip() else ""
    firm = Supplier.objects.filter(organisation=row.organisation_id, public_id=supplier).first() if supplier else None
    if supplier and firm is None:
        raise NotFound(f"supplier {supplier}")
    if firm is not None and role is not Role.TECHNICIAN:
        raise BadField("role", "people of a supplier are technicians")
    if role in (Role.SERVICE, Role.ANALYST):
        raise BadField("role", "a role of people")
    if group == "" and role.approves:
        raise BadField("group", "not for everybody")
    if row.group_roles.filter(group=group).exists():
        raise NameTaken(f"group {group!r}")
    if row.group_roles.count() >= MOST_GROUPS:
        raise TooMany(f"{MOST_GROUPS} groups")
    made = GroupRole.objects.create(provider=row, group=group, role=role, supplier=firm)
    _record("identity.group.mapped", actor, row, group=group, role=role.value, supplier=supplier)
    return made


@transaction.atomic
def unmap_group(*, actor: Actor, provider: str, mapping: int) -> int:
    """Memberships that it gave end; the next sign-in gives what other groups do. Return how many."""
    row = _changeable(actor, provider)
    given = row.group_roles.filter(pk=mapping).first()
    if given is None:
        raise NotFound(f"group {mapping} of {provider}")
    _record("identity.group.unmapped", actor, row, group=given.group, role=given.role)
    ended = end_given(Membership.objects.filter(given_by=given), actor=actor, why="group-unmapped")
    given.delete()
    return ended


@transaction.atomic
def claim_domain(*, actor: Actor, provider: str, domain: str) -> ProviderDomain:
    """Counts at once where there is one organisation only. With several, the operator of the server confirms it: the
    sign-in page leads everybody with such an address to this provider. Raise DomainTaken.
    """
    row = _changeable(actor, provider)
    domain = _clean_domain(domain)
    if row.domains.count() >= MOST_DOMAINS:
        raise TooMany(f"{MOST_DOMAINS} domains")
    if row.domains.filter(domain=domain).exists():
        raise DomainTaken(f"domain {domain!r}")
    made = ProviderDomain.objects.create(provider=row, domain=domain)
    _record("identity.domain.claimed", actor, row, domain=domain)
    if Organisation.objects.count() == 1:
        _confirm(actor, row, made)
    return made


def _clean_domain(domain: str) -> str:
    domain = domain.strip().lower().removeprefix("@")
    if len(domain) > 253 or not _DOMAIN.fullmatch(domain):
        raise BadField("domain", "not a domain")
    return domain


def _confirm(actor: Actor, row: IdentityProvider, claimed: ProviderDomain) -> None:
    if ProviderDomain.objects.filter(domain=claimed.domain, confirmed_at__isnull=False).exists():
        raise DomainTaken(f"domain {claimed.domain!r}")
    claimed.confirmed_at = timezone.now()
    claimed.save(update_fields=["confirmed_at"])
    _record("identity.domain.confirmed", actor, row, domain=claimed.domain)


@transaction.atomic
def confirm_domain(*, actor: Operator, provider: str, domain: str) -> None:
    """By whoever has a shell on the server, and knows whose domain it is."""
    row = _changeable(actor, provider)
    claimed = row.domains.select_for_update(no_key=True).filter(domain=_clean_domain(domain)).first()
    if claimed is None:
        raise NotFound(f"domain {domain} of {provider}")
    if claimed.confirmed_at is None:
        _confirm(actor, row, claimed)


@transaction.atomic
def release_domain(*, actor: Actor, provider: str, domain: str) -> None:
    """Nobody new comes by it; who is here already stays."""
    row = _changeable(actor, provider)
    count, _ = row.domains.filter(domain=domain).delete()
    if not count:
        raise NotFound(f"domain {domain} of {provider}")
    _record("identity.domain.released", actor, row, domain=domain)
