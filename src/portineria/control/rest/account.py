# SPDX-License-Identifier: Apache-2.0
from datetime import datetime
from typing import Literal

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.access import hours
from portineria.control.identity import connector, offers, provider_queries, queries, services, vouching
from portineria.control.identity.models import Person
from portineria.control.rest.caller import Scope, caller_of, person_of
from portineria.control.rest.operation import Given, Id, acts, reads

router = Router(tags=["account"])


class MemberOf(Schema):
    organisation: str
    name: str
    role: str


class Me(Schema):
    """``scopes``: what this caller may do at all; ``organisations``: where."""

    person: str
    name: str
    service_account: bool
    scopes: list[str]
    token: str | None
    organisations: list[MemberOf]


@reads(router, "/me", Me)
def me(request: HttpRequest) -> Me:
    who = caller_of(request)
    roles = queries.roles(who.person)
    return Me(
        person=who.person.public_id,
        name=who.person.name,
        service_account=who.person.is_service,
        scopes=sorted(who.scopes),
        token=who.token.public_id if who.token else None,
        organisations=[
            MemberOf(organisation=row.public_id, name=row.name, role=roles[row.public_id].value)
            for row in queries.organisations(who.person)
        ],
    )


class OwnAccount(Schema):
    """``language``: empty for that of the browser."""

    person: str
    name: str
    language: str
    time_zone: str


class NewOwnAccount(Given):
    name: str = Field(min_length=1, max_length=200)
    language: Literal["", "en", "it", "ja"]
    time_zone: str = Field(max_length=64)


@acts(router, "/me", OwnAccount, Scope.PERSONAL)
def me_change(request: HttpRequest, given: NewOwnAccount) -> OwnAccount:
    row = services.change_self(actor=person_of(request), **given.model_dump())
    return OwnAccount(person=row.public_id, name=row.name, language=row.language, time_zone=row.time_zone)


class HoursView(Schema):
    """When the caller can be asked for their yes, by the clock of ``time_zone``; empty ``windows``: always. They do not
    count where that time zone is known no more.
    """

    organisation: str
    windows: str
    time_zone: str
    counts: bool


class OwnHours(Schema):
    hours: list[HoursView]


class NewHours(Given):
    organisation: str = Field(max_length=24)
    windows: str = Field(max_length=1000)


def _hours(actor: Person) -> OwnHours:
    return OwnHours(
        hours=[
            HoursView(
                organisation=one.organisation.public_id, windows=one.windows, time_zone=actor.time_zone,
                counts=one.counts,
            )
            for one in hours.own_hours(actor)
        ]
    )  # fmt: skip


@reads(router, "/me/hours", OwnHours)
def own_hours(request: HttpRequest) -> OwnHours:
    """Of each organisation where the caller works."""
    return _hours(person_of(request))


@acts(router, "/me/hours", OwnHours, Scope.PERSONAL)
def hours_set(request: HttpRequest, given: NewHours) -> OwnHours:
    """Whom requests are told to first. A yes outside of them counts all the same."""
    actor = person_of(request)
    hours.set_hours(actor=actor, **given.model_dump())
    return _hours(actor)


class OfferView(Schema):
    """Another organisation wants to count the caller among its people; until a yes it learns nothing of them."""

    organisation: str
    name: str
    role: str
    supplier: str | None
    offered_at: datetime


class OwnConnector(Schema):
    token: str
    created_at: datetime
    expires_at: datetime


class Connected(Schema):
    provider: str
    name: str


class Own(Schema):
    """``offers``: what waits for the caller's answer; ``connectors``: those that are signed in; ``providers``: who else
    says who the caller is.
    """

    offers: list[OfferView]
    connectors: list[OwnConnector]
    providers: list[Connected]


def _own(actor: Person) -> Own:
    return Own(
        offers=[
            OfferView(
                organisation=row.organisation.public_id, name=row.organisation.name, role=row.role,
                supplier=row.supplier.public_id if row.supplier else None, offered_at=row.offered_at,
            )
            for row in offers.offers(actor)
        ],
        connectors=[
            OwnConnector(token=row.public_id, created_at=row.created_at, expires_at=row.expires_at)
            for row in queries.tokens(actor)
        ],
        providers=[
            Connected(provider=row.public_id, name=row.name) for row in provider_queries.own_providers(actor).connected
        ],
    )  # fmt: skip


@reads(router, "/me/ways-in", Own)
def ways_in(request: HttpRequest) -> Own:
    return _own(person_of(request))


@acts(router, "/me/offers/{organisation}/accept", Own, Scope.PERSONAL)
def offer_accept(request: HttpRequest, organisation: Id) -> Own:
    actor = person_of(request)
    offers.accept(actor=actor, organisation=organisation)
    return _own(actor)


@acts(router, "/me/offers/{organisation}/decline", Own, Scope.PERSONAL)
def offer_decline(request: HttpRequest, organisation: Id) -> Own:
    actor = person_of(request)
    offers.decline(actor=actor, organisation=organisation)
    return _own(actor)


@acts(router, "/me/connectors/{token}/sign-out", Own, Scope.PERSONAL)
def connector_sign_out(request: HttpRequest, token: Id) -> Own:
    """Sessions that run there go on until they are ended."""
    actor = person_of(request)
    connector.revoke_token(actor=actor, token=token)
    return _own(actor)


@acts(router, "/me/providers/{provider}/disconnect", Own, Scope.PERSONAL)
def provider_disconnect(request: HttpRequest, provider: Id) -> Own:
    """Refused to somebody who could not sign in any more."""
    actor = person_of(request)
    vouching.disconnect(actor=actor, provider=provider)
    return _own(actor)
