# SPDX-License-Identifier: Apache-2.0
from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.access.api import ServiceView, service_view
from portineria.control.estate.models import Link
from portineria.control.identity.api import ERRORS, Asked, Trust, connector, person_of, token_of, trust
from portineria.control.identity.connector import base64url, unbase64
from portineria.control.identity.models import ApiToken, ConnectorToken, Person
from portineria.control.remote_sessions import queries, services
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.opening import Shown
from portineria.control.remote_sessions.scope import is_recorded
from portineria.control.remote_sessions.watching import watchers

router = Router(tags=["sessions"], auth=connector)


class RelayView(Schema):
    relay: str
    host: str
    port: int


def _relays(links: list[Link]) -> list[RelayView]:
    return [RelayView(relay=link.relay.public_id, host=link.relay.host, port=link.relay.port) for link in links]


class SessionView(Schema):
    session: str
    machine: str
    machine_name: str
    person: str
    state: str
    requested_at: datetime
    ends_at: datetime
    drain_until: datetime | None
    ended_at: datetime | None
    ending: str
    ending_class: str
    end_why: str
    end_reason: str
    proven_cut: bool
    signed: bool  # the end, by the gateway: there is a receipt
    to_device: int
    from_device: int
    # For whoever works in it: an extension changes both.
    order_sha256: str | None = None
    certificate: str | None = None
    watched: bool | None = None  # somebody looks on at this moment


def _view(row: Session, actor: Person) -> SessionView:
    view = SessionView(
        session=row.public_id,
        machine=row.machine.public_id,
        machine_name=row.machine.name,
        person=row.person.name,
        state=row.state,
        requested_at=row.requested_at,
        ends_at=row.expires_at,
        drain_until=row.drain_until,
        ended_at=row.ended_at,
        ending=row.ending,
        ending_class=row.ending_class,
        end_why=row.end_why,
        end_reason=row.end_reason,
        proven_cut=row.proven_cut,
        signed=row.receipt_id is not None,
        to_device=row.to_device,
        from_device=row.from_device,
    )
    if row.person_id == actor.pk:
        view.order_sha256 = base64url(bytes(row.order_sha256))
        view.certificate = base64url(bytes(row.certificate))
    return view


class StartRequest(Asked):
    machine: str = Field(max_length=200)
    key: str = Field(max_length=256)
    # Where this computer is known to owners by a key of its own: that key, and its signature over the session's.
    device_key: str = Field(default="", max_length=64)
    device_signature: str = Field(default="", max_length=128)


class Started(Schema):
    session: str
    machine: str
    machine_name: str
    certificate: str
    trust: Trust
    gateway: str
    gateway_spki_sha256: str
    order_sha256: str
    relays: list[RelayView]
    tickets: list[str]
    services: list[ServiceView]
    ends_at: datetime
    drain_s: int
    hold_s: int
    state: str
    recorded: bool


def _factor_at(token: ConnectorToken | ApiToken) -> datetime | None:
    """An agent has no second factor: a rule that wants a young one lets none begin."""
    return token.factor_at if isinstance(token, ConnectorToken) else None


@router.post("/sessions", response={200: Started, **ERRORS})
def start(request: HttpRequest, asked: StartRequest) -> Started:
    opened = services.start_session(
        actor=person_of(request),
        machine=asked.machine,
        key=unbase64(asked.key, "key"),
        address=str(request.META.get("REMOTE_ADDR") or ""),
        shown=Shown(
            _factor_at(token_of(request)),
            unbase64(asked.device_key, "key", size=32) if asked.device_key else b"",
            unbase64(asked.device_signature, "signature", size=64) if asked.device_key else b"",
        ),
    )
    row = opened.session
    return Started(
        session=row.public_id,
        machine=row.machine.public_id,
        machine_name=row.machine.name,
        certificate=base64url(bytes(row.certificate)),
        trust=trust(),
        gateway=row.gateway.public_id,
        gateway_spki_sha256=base64url(bytes(row.gateway.spki_sha256)),
        order_sha256=base64url(bytes(row.order_sha256)),
        relays=_relays(opened.links),
        tickets=[base64url(ticket) for ticket in opened.tickets],
        services=[service_view(service) for service in opened.services],
        ends_at=row.expires_at,
        drain_s=row.machine.drain_s,
        hold_s=row.machine.hold_s,
        state=row.state,
        recorded=is_recorded(row),
    )


class Tickets(Schema):
    relays: list[RelayView]
    tickets: list[str]
    order_sha256: str
    certificate: str
    gateway_spki_sha256: str
    ends_at: datetime
    state: str


@router.post("/sessions/{session}/tickets", response={200: Tickets, **ERRORS})
def tickets(request: HttpRequest, session: str) -> Tickets:
    row, links, made = services.renew_tickets(actor=person_of(request), session=session)
    return Tickets(
        relays=_relays(links),
        tickets=[base64url(ticket) for ticket in made],
        order_sha256=base64url(bytes(row.order_sha256)),
        certificate=base64url(bytes(row.certificate)),
        gateway_spki_sha256=base64url(bytes(row.gateway.spki_sha256)),
        ends_at=row.expires_at,
        state=row.state,
    )


@router.get("/sessions", response={200: list[SessionView], **ERRORS})
def sessions(request: HttpRequest) -> list[SessionView]:
    person = person_of(request)
    return [_view(row, person) for row in queries.sessions(person)[:200]]


@router.get("/sessions/{session}", response={200: SessionView, **ERRORS})
def one_session(request: HttpRequest, session: str) -> SessionView:
    person = person_of(request)
    row = queries.session(person, session)
    view = _view(row, person)
    if row.person_id == person.pk:
        view.watched = bool(watchers(row))
    return view


class CutRequest(Asked):
    reason: str = Field(max_length=500)


@router.post("/sessions/{session}/cut", response={200: SessionView, **ERRORS})
def cut(request: HttpRequest, session: str, asked: CutRequest) -> SessionView:
    person = person_of(request)
    services.cut(actor=person, session=session, reason=asked.reason)
    return _view(queries.session(person, session), person)


@router.post("/sessions/{session}/end", response={200: SessionView, **ERRORS})
def end(request: HttpRequest, session: str) -> SessionView:
    """The connector is done; the session closes as its streams do."""
    person = person_of(request)
    services.finish(actor=person, session=session)
    return _view(queries.session(person, session), person)
