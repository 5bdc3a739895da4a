# SPDX-License-Identifier: Apache-2.0
"""What is entered: plants, gateways, machines, services. Many at once are declared in a file instead.

An address that is read and entered at belongs to one router: this is that of what is read, with more.
"""

from datetime import datetime

from django.http import HttpRequest
from ninja import Schema
from pydantic import Field

from portineria.control.estate import enrolment, entering, queries, services
from portineria.control.estate.answering import set_answering
from portineria.control.estate.entering import Spoken
from portineria.control.remote_sessions.second_yes import foreseen
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.estate import MachinePage, PlantView, machine_page, plant_views
from portineria.control.rest.estate import router as estate
from portineria.control.rest.operation import Confirmed, Given, Id, acts, tries
from portineria.control.settings.start import current
from portineria.core.errors import NotFound

__all__ = ["estate"]


class NewPlant(Given):
    organisation: str = Field(max_length=24)
    name: str = Field(max_length=120)
    time_zone: str = Field(default="UTC", max_length=64)


@acts(estate, "/plants", PlantView, Scope.ADMINISTER)
def plant_add(request: HttpRequest, given: NewPlant) -> PlantView:
    return plant_views([services.create_plant(actor=person_of(request), **given.model_dump())])[0]


class EnrolmentCodeView(Schema):
    """``code``: to be typed at the gateway. It is in this answer and nowhere else."""

    plant: str
    code: str
    command: str
    expires_at: datetime


@tries(estate, "/plants/{plant}/enrolment-codes", EnrolmentCodeView, Scope.ADMINISTER)
def enrolment_code(request: HttpRequest, plant: Id) -> EnrolmentCodeView:
    """For one gateway, which waits for admission afterwards. No key keeps its answer."""
    code, row = enrolment.offer_enrolment(actor=person_of(request), plant=plant)
    command = f"portineria gateway enrol {current().public_url.rstrip('/')} {code}"
    return EnrolmentCodeView(plant=plant, code=code, command=command, expires_at=row.expires_at)


class NewService(Given):
    """``port`` left out: the registered one of the protocol."""

    protocol: str = Field(max_length=24)
    port: int = Field(default=0, ge=0, le=65535)
    name: str = Field(default="", max_length=60)

    @property
    def spoken(self) -> Spoken:
        return Spoken(self.protocol, self.port, self.name)


class NewMachine(Given):
    gateway: str = Field(max_length=24)
    name: str = Field(max_length=120)
    address: str = Field(max_length=45)
    services: list[NewService] = Field(min_length=1, max_length=entering.MOST_AT_ONCE)
    line: str = Field(default="", max_length=120)
    tag: str = Field(default="", max_length=60)


@acts(estate, "/machines", MachinePage, Scope.ADMINISTER)
def machine_add(request: HttpRequest, given: NewMachine) -> MachinePage:
    """With its first device and what is spoken there. A line that the plant does not have yet is made."""
    actor = person_of(request)
    made = entering.enter_machine(
        actor=actor, gateway=given.gateway, name=given.name, address=given.address, line=given.line, tag=given.tag,
        speaks=[each.spoken for each in given.services],
    )  # fmt: skip
    return machine_page(actor, made.public_id)


class Answering(Given):
    """Ids of people of the owner's staff; left out: as it was, empty: nobody."""

    answering: str | None = Field(default=None, max_length=24)
    deputy: str | None = Field(default=None, max_length=24)


@acts(estate, "/machines/{machine}/answering", MachinePage, Scope.ADMINISTER)
def machine_answering(request: HttpRequest, machine: Id, given: Answering) -> MachinePage:
    actor = person_of(request)
    set_answering(actor=actor, machine=machine, answering=given.answering, deputy=given.deputy)
    return machine_page(actor, machine)


class NewServiceAt(NewService):
    address: str = Field(max_length=45)


@acts(estate, "/machines/{machine}/services", MachinePage, Scope.ADMINISTER)
def service_add(request: HttpRequest, machine: Id, given: NewServiceAt) -> MachinePage:
    """At the machine's device with this address, which is made if there is none."""
    actor = person_of(request)
    entering.enter_service(actor=actor, machine=machine, address=given.address, spoken=given.spoken)
    return machine_page(actor, machine)


class ServiceRemoved(Schema):
    service: str


@acts(estate, "/services/{service}/remove", ServiceRemoved, Scope.ADMINISTER)
def service_remove(request: HttpRequest, service: Id, given: Confirmed) -> ServiceRemoved:
    """Sessions that reach it may finish within the machine's time; more than five end only with a second yes."""
    actor = person_of(request)
    row = queries.services(actor).select_related("device__machine__plant").filter(public_id=service).first()
    if row is None:
        raise NotFound(f"service {service}")
    foreseen(
        lambda: services.remove_service(actor=actor, service=service), actor=actor,
        organisation=row.device.machine.plant.organisation_id, confirmed=given.confirm,
    )  # fmt: skip
    return ServiceRemoved(service=service)
