# SPDX-License-Identifier: Apache-2.0
from datetime import date, datetime

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import AwareDatetime, Field

from portineria.control.access import emergency, queries, services
from portineria.control.access.models import AccessRequest
from portineria.control.access.profiles import opened_services
from portineria.control.access.queries import MachineSight
from portineria.control.access.reasons import reasons_at
from portineria.control.estate.models import Service
from portineria.control.estate.queries import services_of
from portineria.control.identity.api import ERRORS, Asked, connector, person_of
from portineria.policy.sight import Sight

router = Router(tags=["access"], auth=connector)
_MOST_32 = (1 << 31) - 1


class ServiceView(Schema):
    service: str
    name: str
    protocol: str
    port: int
    device: str


class MachineView(Schema):
    """Askable: its name and whom to ask, nothing else."""

    machine: str
    name: str
    owner: str
    sight: str
    plant: str | None = None
    line: str | None = None
    services: list[ServiceView] = Field(default_factory=list)
    grant: str | None = None
    ends_at: datetime | None = None
    begin_by: datetime | None = None  # where the time counts from the first session and none was: instead of ends_at
    lasts_minutes: int | None = None
    max_minutes: int | None = None
    notice: str | None = None  # where reading is all that is missing: whose notice has to be acknowledged
    trainings: list[str] = Field(default_factory=list)  # and what has to be confirmed
    reasons: list[str] = Field(default_factory=list)  # to choose from when asking; in the answer about one machine


def service_view(service: Service) -> ServiceView:
    return ServiceView(
        service=service.public_id,
        name=service.name,
        protocol=service.protocol,
        port=service.port,
        device=service.device.name,
    )


def _view(seen: MachineSight) -> MachineView:
    machine = seen.machine
    owner = machine.answering.name if machine.answering else machine.plant.organisation.name
    view = MachineView(
        machine=machine.public_id,
        name=machine.name,
        owner=owner,
        sight=seen.sight.value,
        max_minutes=seen.max_minutes,
        notice=seen.notice,
        trainings=[training.public_id for training in seen.to_confirm],
    )
    if seen.sight is Sight.REACHABLE:
        view.plant = machine.plant.name
        view.line = machine.line.name if machine.line else None
        view.services = [service_view(row) for row in opened_services(seen.grant, services_of(machine))]
        view.grant, view.ends_at = seen.grant, seen.ends_at
        view.begin_by, view.lasts_minutes = seen.begin_by, seen.lasts_minutes
    return view


@router.get("/machines", response={200: list[MachineView], **ERRORS})
def machines(request: HttpRequest) -> list[MachineView]:
    return [_view(seen) for seen in queries.visible_machines(person_of(request))]


@router.get("/machines/{path:machine}", response={200: MachineView, **ERRORS})
def machine(request: HttpRequest, machine: str) -> MachineView:
    seen = queries.visible_machine(person_of(request), machine)
    view = _view(seen)
    view.reasons = reasons_at(seen.machine) if seen.max_minutes is not None else []
    return view


class AskRequest(Asked):
    machine: str = Field(max_length=200)
    reason: str = Field(max_length=1000)
    minutes: int = Field(ge=-_MOST_32, le=_MOST_32)  # how many are allowed the rule says, in words
    starts_at: AwareDatetime | None = None
    reference: str = Field(default="", max_length=200)  # of a ticket or work permit
    listed_reason: str = Field(default="", max_length=200)  # one of the machine's
    weekly: str = Field(default="", max_length=200)  # the same hours of every week, by the plant's clock
    until: date | None = None


class RequestView(Schema):
    request: str
    machine: str
    machine_name: str
    person: str
    state: str
    reason: str
    minutes: int
    starts_at: datetime | None
    made_at: datetime
    decided_by: str | None
    decision_reason: str | None
    lapsed_why: str
    grant: str | None
    ends_at: datetime | None
    listed_reason: str
    begin_by: datetime | None  # instead of ends_at
    weekly: str


def _request_view(row: AccessRequest) -> RequestView:
    approval = next(iter(row.approvals.all()), None)
    grant = getattr(row, "grant", None)
    return RequestView(
        request=row.public_id,
        machine=row.machine.public_id,
        machine_name=row.machine.name,
        person=row.person.name,
        state=row.state,
        reason=row.reason,
        minutes=row.minutes,
        starts_at=row.starts_at,
        made_at=row.made_at,
        decided_by=approval.decided_by.name if approval else None,
        decision_reason=approval.reason if approval else None,
        lapsed_why=row.lapsed_why,
        grant=grant.public_id if grant else None,
        ends_at=grant.ends_at if grant and grant.begun else None,
        begin_by=grant.ends_at if grant and not grant.begun else None,
        listed_reason=row.listed_reason,
        weekly=row.weekly,
    )


@router.post("/requests", response={200: RequestView, **ERRORS})
def ask(request: HttpRequest, asked: AskRequest) -> RequestView:
    person = person_of(request)
    made = services.make_request(
        actor=person,
        machine=asked.machine,
        reason=asked.reason,
        minutes=asked.minutes,
        starts_at=asked.starts_at,
        reference=asked.reference,
        listed_reason=asked.listed_reason,
        weekly=asked.weekly,
        until=asked.until,
    )
    return _request_view(queries.request(person, made.public_id))


class AskEmergency(Asked):
    machine: str = Field(max_length=200)
    reason: str = Field(max_length=1000)


@router.post("/emergency", response={200: RequestView, **ERRORS})
def break_glass(request: HttpRequest, asked: AskEmergency) -> RequestView:
    """For whoever holds an emergency role there: open at once, without a decision, and be asked about it afterwards."""
    person = person_of(request)
    grant = emergency.break_glass(actor=person, machine=asked.machine, reason=asked.reason)
    return _request_view(queries.request(person, grant.request.public_id))


@router.get("/requests", response={200: list[RequestView], **ERRORS})
def requests(request: HttpRequest) -> list[RequestView]:
    return [_request_view(row) for row in queries.requests(person_of(request))[:200]]


@router.get("/requests/{request_id}", response={200: RequestView, **ERRORS})
def one_request(request: HttpRequest, request_id: str) -> RequestView:
    return _request_view(queries.request(person_of(request), request_id))


@router.post("/requests/{request_id}/cancel", response={200: RequestView, **ERRORS})
def cancel(request: HttpRequest, request_id: str) -> RequestView:
    person = person_of(request)
    services.cancel(actor=person, request=request_id)
    return _request_view(queries.request(person, request_id))
