# SPDX-License-Identifier: Apache-2.0
"""From the control plane's yes to open doors: what ``portineria connect`` does, without its printing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.core.errors import Conflict, Invalid, NotFound
from portineria.dataplane.aio.dial import proxy_for
from portineria.dataplane.aio.leg import Way
from portineria.dataplane.connector import notice, training
from portineria.dataplane.connector.admission import ServiceAnswer, SessionAnswer, admit, session_key
from portineria.dataplane.connector.api import Api, segment
from portineria.dataplane.connector.company_device import proof
from portineria.dataplane.connector.door import Door, Service, open_doors
from portineria.dataplane.connector.keeper import Keeper, finish, local_time
from portineria.dataplane.connector.patience import WAIT_S, Patience
from portineria.dataplane.connector.session import Session, Tell


class NoService(Invalid):
    code = "service.none"


class ServicesChanged(Conflict):
    """Between the look at the machine and the session."""

    code = "service.changed"


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
    begin_by: str | None = None  # where the time counts from the first session, and none was
    lasts_minutes: int | None = None
    notice: str | None = None  # where reading is all that is missing: the organisation whose notice it is
    trainings: list[str] = msgspec.field(default_factory=list)  # and what has to be confirmed


@dataclass(frozen=True, slots=True)
class Wish:
    """What to connect to, and how. ``target`` is MACHINE or MACHINE/SERVICE; either may have slashes of its own."""

    target: str
    port_offset: int = 0
    nested: bool = False
    allow_opened: bool = False
    proxy: str | None = None
    wait_s: float = WAIT_S  # for a server that is away
    accept_notice: bool = False  # of the machine's owner, once it was shown
    confirm_trainings: bool = False  # likewise
    device: Ed25519PrivateKey | None = None  # by which owners may know this computer


@dataclass(frozen=True, slots=True)
class Connected:
    machine: str
    machine_name: str
    session: Session
    doors: list[Door]
    keeper: Keeper


def anything(_machine: str, _doors: list[Door]) -> None: ...


@asynccontextmanager
async def connected(
    api: Api, wish: Wish, *, pin: str, tell: Tell, check: Callable[[str, list[Door]], None] = anything
) -> AsyncIterator[Connected]:
    """Doors are open inside; leaving it ends the session. Raises PortineriaError with a code of ``text``.

    What may be wrong on this computer is found before a session is asked for, which the owner sees and which is kept:
    the service, the local ports, and what ``check`` raises of the machine's name and the doors.
    """
    patience = Patience(api, tell, wish.wait_s)
    machine, service = await _prepared(patience, wish, tell)
    services = [Service(s.service, s.name, s.protocol, s.port, s.device) for s in machine.services or ()]
    wanted = chosen(services, service) if services else []  # none is told of what is not reachable: then it is refused
    with contextlib.ExitStack() as opened:
        doors = open_doors(machine.machine, wanted, offset=wish.port_offset)
        for door in doors:
            opened.callback(door.listener.close)
        if doors:
            check(machine.name, doors)
        key, public = session_key()
        asked = {"machine": machine.machine, "key": public} | proof(wish.device, public)
        answer = await _ordered(patience, tell, asked)
        admission = admit(answer, key=key, pin=pin)
        if answer.recorded:
            tell("session.recorded")
        keeper = Keeper(api, admission.tickets)
        way = Way(
            admission.relay_issuer, lambda host: proxy_for(host, wish.proxy),
            allow_opened=wish.allow_opened, nested=wish.nested, unix_ms=lambda: api.unix_ms,
        )  # fmt: skip
        line = Connected(
            answer.machine, answer.machine_name, Session(admission, way, tell, keeper.refresh), doors, keeper
        )
        try:
            if set(wanted) != set(chosen(admission.services, service)):
                raise ServicesChanged(f"{machine.machine}: {len(wanted)} services before")
            async with _held(line, opened):
                yield line
        finally:
            if not await finish(api, line.session.id):
                tell("control.untold", at=local_time(line.session.ends_at))


@asynccontextmanager
async def _held(line: Connected, opened: contextlib.ExitStack) -> AsyncIterator[None]:
    """The session serves its doors inside. Behind it nothing is open any more, before anybody is told so."""
    try:
        await line.session.begin(line.doors)
        line.session.tasks.spawn(line.keeper.keep(line.session), "keeper")
        yield
    finally:
        await line.session.close()
        opened.close()


async def _prepared(patience: Patience, wish: Wish, tell: Tell) -> tuple[Machine, str | None]:
    """As ``_found``, once all was read that its owner wants read. Raises NotFound, NoticeMissing, TrainingMissing."""
    machine, service = await _found(patience, wish.target)
    if machine.notice is not None:
        await notice.read(patience, machine.notice, tell, accept=wish.accept_notice)
        machine, service = await _found(patience, wish.target)
    if machine.trainings:
        await training.read(patience, machine.trainings, tell, confirm=wish.confirm_trainings)
        machine, service = await _found(patience, wish.target)
    return machine, service


async def _found(patience: Patience, target: str) -> tuple[Machine, str | None]:
    """The machine with the longest name that fits, and what is behind its slash. Raises NotFound."""
    parts = target.split("/")
    for count in range(len(parts), 0, -1):
        name, service = "/".join(parts[:count]), "/".join(parts[count:])
        try:
            return await patience.ask("GET", f"/api/v1/machines/{segment(name)}", Machine), service or None
        except NotFound:
            if count == 1:
                raise
    raise NotFound(f"machine {target!r}")


async def _ordered(patience: Patience, tell: Tell, wanted: dict[str, str]) -> SessionAnswer:
    """The answer to asking for a session. Asked again with the same key, the server gives the same session."""
    try:
        return await patience.ask("POST", "/api/v1/sessions", SessionAnswer, wanted)
    except asyncio.CancelledError:
        if patience.in_doubt:
            tell("session.in-doubt")
        raise


def chosen(services: Sequence[Service], wanted: str | None) -> list[Service]:
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
