# SPDX-License-Identifier: Apache-2.0
"""From the control plane's yes to open doors: what ``portineria connect`` does, without its printing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from portineria.core.errors import Invalid
from portineria.dataplane.aio.dial import proxy_for
from portineria.dataplane.aio.leg import Way
from portineria.dataplane.connector.admission import ServiceAnswer, SessionAnswer, admit, session_key
from portineria.dataplane.connector.api import Api
from portineria.dataplane.connector.door import Door, Service, open_doors
from portineria.dataplane.connector.keeper import Keeper, finish
from portineria.dataplane.connector.session import Session, Tell


class NoService(Invalid):
    code = "service.none"


class Machine(msgspec.Struct):
    """One of GET /api/v1/machines. Services are there only when it is reachable."""

    machine: str
    name: str
    sight: str
    plant: str | None = None
    line: str | None = None
    owner: str = ""
    services: list[ServiceAnswer] | None = None
    ends_at: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What to connect to, and how."""

    machine: str
    service: str | None = None
    port_offset: int = 0
    nested: bool = False
    allow_opened: bool = False
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class Connected:
    machine: str
    machine_name: str
    session: Session
    doors: list[Door]


@asynccontextmanager
async def connected(api: Api, wish: Wish, *, pin: str, tell: Tell) -> AsyncIterator[Connected]:
    """Doors are open inside; leaving it ends the session. Raises PortineriaError with a code of ``text``."""
    key, public = session_key()
    wanted = {"machine": wish.machine, "key": public}
    answer = await api.in_thread("POST", "/api/v1/sessions", SessionAnswer, wanted)
    admission = admit(answer, key=key, pin=pin)
    try:
        services = chosen(admission.services, wish.service)
        keeper = Keeper(api, admission.tickets)
        way = Way(
            admission.relay_issuer, lambda host: proxy_for(host, wish.proxy),
            allow_opened=wish.allow_opened, nested=wish.nested, unix_ms=lambda: api.unix_ms,
        )  # fmt: skip
        session = Session(admission, way, tell, keeper.refresh)
        doors = open_doors(answer.machine, services, offset=wish.port_offset)
        try:
            await session.begin(doors)
            session.tasks.spawn(keeper.keep(session), "keeper")
            yield Connected(answer.machine, answer.machine_name, session, doors)
        finally:
            await session.close()
            for door in doors:
                door.listener.close()
    finally:
        await asyncio.shield(finish(api, admission.session))


def chosen(services: tuple[Service, ...], wanted: str | None) -> list[Service]:
    """The services that ``wanted`` names by id, name or protocol; all without it. Raises NoService."""
    if wanted is None:
        return list(services)
    for value_of in (_id, _name, _protocol):
        found = [service for service in services if value_of(service) == wanted]
        if found:
            return found
    names = ", ".join(service.name for service in services)
    raise NoService(f"no service is called {wanted!r}; there are: {names}")


def _id(service: Service) -> str:
    return service.service


def _name(service: Service) -> str:
    return service.name


def _protocol(service: Service) -> str:
    return service.protocol
