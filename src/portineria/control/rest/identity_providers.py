# SPDX-License-Identifier: Apache-2.0
"""Identity providers: who outside says who somebody is, and what their groups are here. Trying one is a sign-in."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal, TypeVar

from django.http import HttpRequest
from ninja import Path, Router, Schema
from pydantic import Field

from portineria.control.identity import provider_queries as queries
from portineria.control.identity import providers as services
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Person, Role
from portineria.control.identity.openid import STANDARD_SCOPES
from portineria.control.identity.outside_provider import callback_address
from portineria.control.identity.provider_models import GROUP_CHARACTERS, IdentityProvider
from portineria.control.identity.providers import MOST_DOMAINS, NAME_CHARACTERS, OpenIdSettings
from portineria.control.identity.said_factor import LEVELS_CHARACTERS
from portineria.control.remote_sessions.second_yes import foreseen
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Confirmed, ConfirmedReason, Given, Id, Reason, acts, reads, tries

T = TypeVar("T")
router = Router(tags=["identity providers"])
_TEXT = 200
Number = Annotated[int, Path(ge=1, lt=1 << 62)]
Domain = Annotated[str, Field(max_length=253)]


class GroupRoleView(Schema):
    """``group``: empty for everybody whom the provider knows."""

    number: int
    group: str
    role: str
    supplier: str | None


class DomainView(Schema):
    domain: str
    confirmed_at: datetime | None


class IdentityProviderView(Schema):
    """``people``: memberships that rest on it. ``return_address``: to be entered there. ``factor_counts``: a second
    factor that it shows is one here.
    """

    provider: str
    organisation: str
    kind: str
    name: str
    issuer: str
    groups_claim: str
    factor_counts: bool
    factor_levels: str
    return_address: str
    people: int
    created_at: datetime
    disabled_at: datetime | None
    groups: list[GroupRoleView]
    domains: list[DomainView]


def _view(row: IdentityProvider) -> IdentityProviderView:
    groups = row.group_roles.select_related("supplier").order_by("group", "pk")
    return IdentityProviderView(
        provider=row.public_id, organisation=row.organisation.public_id, kind=row.kind, name=row.name,
        issuer=row.issuer, groups_claim=row.groups_claim, factor_counts=row.factor_counts,
        factor_levels=row.factor_levels, return_address=callback_address(row.public_id),
        people=row.__dict__["people"], created_at=row.created_at, disabled_at=row.disabled_at,  # by ``providers``
        groups=[
            GroupRoleView(
                number=one.pk, group=one.group, role=one.role,
                supplier=one.supplier.public_id if one.supplier else None,
            )
            for one in groups
        ],
        domains=[
            DomainView(domain=one.domain, confirmed_at=one.confirmed_at) for one in row.domains.order_by("domain")
        ],
    )  # fmt: skip


@reads(router, "/identity-providers", Leaf[IdentityProviderView])
def identity_providers(request: HttpRequest, place: Where) -> Leaf[IdentityProviderView]:
    """For staff."""
    actor = person_of(request)
    found = queries.providers(actor)
    return leaf(actor, "identity providers", found, place, lambda rows: [_view(row) for row in rows])


def _provider(actor: Person, provider: str) -> IdentityProviderView:
    return _view(queries.provider(actor, provider))


@reads(router, "/identity-providers/{provider}", IdentityProviderView)
def identity_provider(request: HttpRequest, provider: Id) -> IdentityProviderView:
    return _provider(person_of(request), provider)


class NewProvider(Given):
    organisation: str = Field(max_length=24)
    name: str = Field(max_length=NAME_CHARACTERS)
    address: str = Field(max_length=_TEXT)
    groups_claim: str = Field(default="groups", max_length=120, description="Empty: it names no groups.")
    domains: list[Domain] = Field(default=[], max_length=MOST_DOMAINS)


class NewOpenId(NewProvider):
    client_id: str = Field(min_length=1, max_length=_TEXT)
    client_secret: str = Field(default="", max_length=_TEXT)
    scopes: str = Field(default=STANDARD_SCOPES, max_length=_TEXT)


@tries(router, "/openid-providers", IdentityProviderView, Scope.ADMINISTER)
def openid_add(request: HttpRequest, given: NewOpenId) -> IdentityProviderView:
    """Its document is read now, so no key keeps the answer."""
    actor = person_of(request)
    settings = OpenIdSettings(
        given.address, given.client_id, given.client_secret, given.scopes or STANDARD_SCOPES, given.groups_claim
    )
    made = services.add_openid(
        actor=actor, organisation=given.organisation, name=given.name, settings=settings, domains=given.domains
    )
    return _provider(actor, made.public_id)


@tries(router, "/saml-providers", IdentityProviderView, Scope.ADMINISTER)
def saml_add(request: HttpRequest, given: NewProvider) -> IdentityProviderView:
    """``address``: of its metadata, which are read now, so no key keeps the answer."""
    actor = person_of(request)
    made = services.add_saml(
        actor=actor, organisation=given.organisation, name=given.name, address=given.address,
        groups_claim=given.groups_claim, domains=given.domains,
    )  # fmt: skip
    return _provider(actor, made.public_id)


def _changeable(request: HttpRequest, provider: str) -> Person:
    actor = person_of(request)
    require(actor, queries.provider(actor, provider).organisation_id, administers)
    return actor


def _foreseen(actor: Person, provider: str, given: Confirmed, act: Callable[[], T]) -> T:
    return foreseen(
        act, actor=actor, organisation=queries.provider(actor, provider).organisation_id, confirmed=given.confirm
    )


class ClientSecret(Given):
    client_secret: str = Field(min_length=1, max_length=_TEXT)


@acts(router, "/identity-providers/{provider}/secret", IdentityProviderView, Scope.ADMINISTER)
def provider_secret(request: HttpRequest, provider: Id, given: ClientSecret) -> IdentityProviderView:
    """It is never shown again."""
    actor = _changeable(request, provider)
    services.replace_secret(actor=actor, provider=provider, secret=given.client_secret)
    return _provider(actor, provider)


class FactorTermsGiven(Confirmed):
    counts: bool
    levels: str = Field(
        default="", max_length=LEVELS_CHARACTERS,
        description="Between spaces: acr of OpenID Connect, AuthnContextClassRef of SAML. Empty: several methods.",
    )  # fmt: skip


@acts(router, "/identity-providers/{provider}/factor", IdentityProviderView, Scope.ADMINISTER)
def provider_factor(request: HttpRequest, provider: Id, given: FactorTermsGiven) -> IdentityProviderView:
    """Whether its second factor counts here. Other terms than before: its people sign in anew, and what rests on what
    it showed is cut; more than five sessions only with a second yes.
    """
    actor = _changeable(request, provider)
    _foreseen(
        actor, provider, given,
        lambda: services.set_factor(actor=actor, provider=provider, counts=given.counts, levels=given.levels),
    )  # fmt: skip
    return _provider(actor, provider)


@tries(router, "/identity-providers/{provider}/refresh", IdentityProviderView, Scope.ADMINISTER)
def provider_refresh(request: HttpRequest, provider: Id) -> IdentityProviderView:
    """SAML: its metadata are read anew."""
    actor = _changeable(request, provider)
    services.refresh_saml(actor=actor, provider=provider)
    return _provider(actor, provider)


@acts(router, "/identity-providers/{provider}/disable", IdentityProviderView, Scope.ADMINISTER)
def provider_disable(request: HttpRequest, provider: Id, given: ConfirmedReason) -> IdentityProviderView:
    """A matter of security: what rests on its word ends at once, its people are signed out; more than five open
    sessions only with a second yes.
    """
    actor = _changeable(request, provider)
    _foreseen(
        actor, provider, given, lambda: services.disable(actor=actor, provider=provider, reason=given.reason)
    )  # fmt: skip
    return _provider(actor, provider)


@acts(router, "/identity-providers/{provider}/enable", IdentityProviderView, Scope.ADMINISTER)
def provider_enable(request: HttpRequest, provider: Id, given: Reason) -> IdentityProviderView:
    actor = _changeable(request, provider)
    services.enable(actor=actor, provider=provider, reason=given.reason)
    return _provider(actor, provider)


class ProviderWithdrawn(Schema):
    """``ended``: memberships that rested on it."""

    provider: str
    ended: int


@acts(router, "/identity-providers/{provider}/withdraw", ProviderWithdrawn, Scope.ADMINISTER)
def provider_withdraw(request: HttpRequest, provider: Id, given: ConfirmedReason) -> ProviderWithdrawn:
    """As disabling it, for good: its secret, its groups and who is who there are destroyed. More than five open
    sessions end only with a second yes.
    """
    actor = _changeable(request, provider)
    ended = _foreseen(
        actor, provider, given, lambda: services.withdraw(actor=actor, provider=provider, reason=given.reason)
    )  # fmt: skip
    return ProviderWithdrawn(provider=provider, ended=ended)


class NewGroupRole(Given):
    """``group``: empty for everybody whom the provider knows, operators or technicians only."""

    group: str = Field(default="", max_length=GROUP_CHARACTERS)
    role: Literal["administrator", "approver", "operator", "technician"]
    supplier: str = Field(default="", max_length=24, description="Of technicians.")


@acts(router, "/identity-providers/{provider}/groups", IdentityProviderView, Scope.ADMINISTER)
def group_map(request: HttpRequest, provider: Id, given: NewGroupRole) -> IdentityProviderView:
    actor = _changeable(request, provider)
    services.map_group(
        actor=actor, provider=provider, group=given.group, role=Role(given.role), supplier=given.supplier
    )
    return _provider(actor, provider)


@acts(router, "/identity-providers/{provider}/groups/{number}/remove", IdentityProviderView, Scope.ADMINISTER)
def group_unmap(request: HttpRequest, provider: Id, number: Number, given: Confirmed) -> IdentityProviderView:
    """Memberships that it gave end; more than five open sessions only with a second yes."""
    actor = _changeable(request, provider)
    _foreseen(
        actor, provider, given, lambda: services.unmap_group(actor=actor, provider=provider, mapping=number)
    )  # fmt: skip
    return _provider(actor, provider)


class NewDomain(Given):
    domain: Domain


@acts(router, "/identity-providers/{provider}/domains", IdentityProviderView, Scope.ADMINISTER)
def domain_claim(request: HttpRequest, provider: Id, given: NewDomain) -> IdentityProviderView:
    """Where the server has several organisations, its operator confirms it first."""
    actor = _changeable(request, provider)
    services.claim_domain(actor=actor, provider=provider, domain=given.domain)
    return _provider(actor, provider)


@acts(router, "/identity-providers/{provider}/domains/{domain}/release", IdentityProviderView, Scope.ADMINISTER)
def domain_release(request: HttpRequest, provider: Id, domain: Id) -> IdentityProviderView:
    """Nobody new comes by it; who is here already stays."""
    actor = _changeable(request, provider)
    services.release_domain(actor=actor, provider=provider, domain=domain)
    return _provider(actor, provider)
