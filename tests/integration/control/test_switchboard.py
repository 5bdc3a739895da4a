# SPDX-License-Identifier: Apache-2.0
"""The switchboard on a real bus: a real Unix socket, the relay's real end of it, a real database file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from asgiref.sync import sync_to_async
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connections

from portineria.bus.local import LocalBus, LocalBusEnd
from portineria.bus.message import (
    CloseLegs,
    Deliver,
    DropGateway,
    FromGateway,
    LinkDown,
    LinkUp,
    RelayUp,
    SetAdmitted,
    ToRelay,
)
from portineria.control.access import services as access
from portineria.control.access.models import AccessRequest
from portineria.control.audit.queries import events
from portineria.control.estate import enrolment as admission
from portineria.control.estate import signers, trust
from portineria.control.estate.models import Gateway, Link
from portineria.control.identity import keys
from portineria.control.identity import services as identity
from portineria.control.identity.authority import Operator
from portineria.control.remote_sessions import services
from portineria.control.remote_sessions.models import GatewayReport, Session
from portineria.control.remote_sessions.switchboard import Switchboard
from portineria.dataplane.gateway.reporter import UNDERWAY
from portineria.wire.certificate import spki
from portineria.wire.statement import (
    Acknowledgement,
    Additions,
    Admitted,
    Leases,
    Letter,
    Order,
    Time,
    Withdrawal,
    open_admitted,
)
from tests.integration.control.engine import writers_held_up
from tests.integration.control.world import GatewayEnd, World, fresh

T = TypeVar("T")
DEADLINE_S = 20


async def inside(work: Callable[..., T], *given: Any, **named: Any) -> T:
    """In a thread with a database connection of its own, as a request of the console would be."""

    def run() -> T:
        try:
            return work(*given, **named)
        finally:
            connections.close_all()

    return await sync_to_async(run, thread_sensitive=False)()


class RelayEnd:
    """The relay's side of the bus: what it heard, for a test to wait on."""

    def __init__(self, path: Path, relay: str, gateways: list[str]) -> None:
        self.relay = relay
        self.heard: list[ToRelay] = []
        self._news = asyncio.Event()
        self.end = LocalBusEnd(path, self._receive, lambda: RelayUp(relay, gateways))

    def _receive(self, message: ToRelay) -> None:
        self.heard.append(message)
        self._news.set()

    async def until(self, found: Callable[[], T | None]) -> T:
        async with asyncio.timeout(DEADLINE_S):
            while not (result := found()):
                self._news.clear()
                await self._news.wait()
        return result

    def letters(self, gateway: GatewayEnd) -> list[Letter]:
        sealed = [s for m in self.heard if isinstance(m, Deliver) and m.gateway == gateway.id for s in m.sealed]
        return gateway.read(sealed)

    async def letter(self, gateway: GatewayEnd, kind: type[T]) -> T:
        return await self.until(lambda: next((x for x in self.letters(gateway) if isinstance(x, kind)), None))

    async def message(self, kind: type[T]) -> T:
        return await self.until(lambda: next((x for x in self.heard if isinstance(x, kind)), None))

    def link_up(self, gateway: GatewayEnd, spki_sha256: bytes | None = None) -> None:
        self.end.publish(LinkUp(self.relay, gateway.id, spki_sha256 or gateway.spki_sha256, "198.51.100.9:4711"))

    def carry(self, gateway: GatewayEnd, *sealed: bytes) -> None:
        self.end.publish(FromGateway(self.relay, gateway.id, list(sealed)))


@asynccontextmanager
async def running(folder: Path, relay: str, gateways: list[str] | None = None) -> AsyncIterator[RelayEnd]:
    switchboard = Switchboard()
    bus = LocalBus(folder, switchboard.receive)
    await switchboard.open(bus)
    await bus.open([relay])
    end = RelayEnd(bus.path(relay), relay, gateways or [])
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(switchboard.run()), tasks.create_task(end.end.run())]
        try:
            await end.message(SetAdmitted)  # the answer to its greeting
            yield end
        finally:
            for task in work:
                task.cancel()
            await bus.close()
            await switchboard.close()


async def until_true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await inside(condition):  # noqa: ASYNC110 the database has no other way to tell
            await asyncio.sleep(0.02)


def start(world: World) -> Session:
    world.grant()
    key = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    return services.start_session(actor=fresh(world.technician), machine="Press 3", key=key, address="").session


def state_of(session: Session) -> str:
    return Session.objects.get(pk=session.pk).state


async def linked(end: RelayEnd, world: World) -> None:
    end.link_up(world.gateway)
    await end.letter(world.gateway, Additions)


async def test_a_relay_that_comes_up_gets_the_signed_list_of_admitted_gateways(
    committed_world: World, tmp_path: Path
) -> None:
    world = committed_world
    async with running(tmp_path, world.relay) as end:
        signed = (await end.message(SetAdmitted)).signed
        admitted: Admitted = open_admitted(signed, (await inside(keys.signer, "ticket")).key.public_key())
        assert [(g.gateway, g.spki_sha256) for g in admitted.gateways] == [
            (world.gateway.id, world.gateway.spki_sha256)
        ]


async def test_order_lease_receipt_and_acknowledgement_end_to_end(committed_world: World, tmp_path: Path) -> None:
    world, gateway = committed_world, committed_world.gateway
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        session = await inside(start, world)
        order = await end.letter(gateway, Order)
        end.carry(gateway, gateway.ask(order.session), gateway.say("order.accepted", order.session, order_seq=1))
        leases = await end.letter(gateway, Leases)
        assert [lease.session for lease in leases.leases] == [session.public_id]
        await end.letter(gateway, Time)
        assert (await end.letter(gateway, Acknowledgement)).up_to_seq == 1
        await inside(services.cut, actor=world.owner, session=session.public_id, reason="stop")
        withdrawal = await end.letter(gateway, Withdrawal)
        assert withdrawal.ending == "cut"
        assert (await end.message(CloseLegs)).session == session.public_id
        assert await inside(state_of, session) == "cutting"
        end.carry(gateway, gateway.say("session.ended", order.session, ending="cut", reason="cut", latency_ms=3))
        await until_true(lambda: Session.objects.get(pk=session.pk).proven_cut)


async def test_events_of_a_busy_gateway_one_by_one_are_all_taken(committed_world: World, tmp_path: Path) -> None:
    """As many as it may have under way, each in a message of its own: none is dropped, so none has to come again."""
    world, gateway = committed_world, committed_world.gateway
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        session = (await inside(start, world)).public_id
        said = [
            gateway.say("stream.refused", session, reason="reach", device="dev_a", port=502) for _ in range(UNDERWAY)
        ]
        for one in said:
            end.carry(gateway, one)

        def acknowledged() -> bool:
            return any(isinstance(x, Acknowledgement) and x.up_to_seq == UNDERWAY for x in end.letters(gateway))

        await end.until(acknowledged)


async def test_a_gap_is_filled_by_what_is_said_again_in_the_same_breath(committed_world: World, tmp_path: Path) -> None:
    world, gateway = committed_world, committed_world.gateway
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        session = (await inside(start, world)).public_id
        one, two, three = (
            gateway.say("stream.refused", session, reason="reach", device="dev_a", port=502) for _ in range(3)
        )
        end.carry(gateway, two, b"nothing that opens", three, one, two, three)
        assert (await end.letter(gateway, Acknowledgement)).up_to_seq == 3


async def test_a_letter_without_an_answer_is_said_again(committed_world: World, tmp_path: Path) -> None:
    world = committed_world
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        await inside(start, world)

        def orders() -> list[Order]:
            return [letter for letter in end.letters(world.gateway) if isinstance(letter, Order)]

        await end.until(lambda: len(orders()) > 1)
        assert {order.order_seq for order in orders()} == {1}


async def test_a_gateway_that_comes_back_hears_its_sessions_as_they_stand(
    committed_world: World, tmp_path: Path
) -> None:
    world = committed_world
    await inside(world.link)
    live, cut = await inside(start, world), await inside(start_second, world)
    await inside(services.cut, actor=world.owner, session=cut.public_id, reason="x")
    async with running(tmp_path, world.relay) as end:
        assert await inside(Link.objects.count) == 0  # who is connected is told anew
        end.link_up(world.gateway)
        assert (await end.letter(world.gateway, Order)).session == live.public_id
        assert (await end.letter(world.gateway, Withdrawal)).session == cut.public_id


def start_second(world: World) -> Session:
    key = spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    return services.start_session(actor=fresh(world.technician), machine="Press 3", key=key, address="").session


async def test_a_gateway_that_is_linked_hears_of_a_new_signer_at_once(committed_world: World, tmp_path: Path) -> None:
    world = committed_world
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        end.heard.clear()
        made = await inside(signers.rotate, actor=Operator(), role="acknowledgement")
        additions = await end.letter(world.gateway, Additions)
        assert (await inside(keys.signers))[made.id] in additions.signers


async def test_a_gateway_that_stayed_linked_hears_what_a_new_server_brought(
    committed_world: World, tmp_path: Path
) -> None:
    """A relay of its settings, for one: nothing else tells a gateway whose link never fails."""
    world = committed_world
    async with running(tmp_path, world.relay, [world.gateway.id]) as end:
        additions = await end.letter(world.gateway, Additions)
        assert additions.relays == await inside(trust.relays)


async def test_links_are_counted_as_relays_tell_them(committed_world: World, tmp_path: Path) -> None:
    world = committed_world
    async with running(tmp_path, world.relay, [world.gateway.id, "gw_aaaaaaaaaaaaaaaa"]) as end:
        await until_true(lambda: Link.objects.filter(gateway__public_id=world.gateway.id).exists())
        end.end.publish(LinkDown(world.relay, world.gateway.id))
        await until_true(lambda: not Link.objects.exists())
        codes = await inside(lambda: [e.code for e in events(world.owner, code="estate.gateway.").order_by("seq")])
        assert codes[-2:] == ["estate.gateway.connected", "estate.gateway.disconnected"]


@pytest.mark.parametrize("case", ["unknown", "other key", "waiting"])
async def test_a_gateway_that_does_not_belong_is_dropped(committed_world: World, tmp_path: Path, case: str) -> None:
    world, gateway = committed_world, committed_world.gateway
    if case == "unknown":
        gateway = GatewayEnd(id="gw_aaaaaaaaaaaaaaaa")
    elif case == "waiting":
        gateway = await inside(waiting, world)
    async with running(tmp_path, world.relay) as end:
        end.link_up(gateway, bytes(32) if case == "other key" else None)
        assert (await end.message(DropGateway)).gateway == gateway.id
        assert await inside(Link.objects.count) == 0


def waiting(world: World) -> GatewayEnd:
    end = GatewayEnd()
    code, _ = admission.offer_enrolment(actor=world.owner, plant=world.plant)
    end.accept(code, end.enrol(code).json())
    return end


async def test_a_person_who_is_disabled_is_cut_without_waiting_for_the_timer(
    committed_world: World, tmp_path: Path
) -> None:
    world = committed_world
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        session = await inside(start, world)
        await end.letter(world.gateway, Order)
        technician = world.technician.public_id
        await inside(identity.set_person_enabled, actor=world.owner, person=technician, enabled=False, reason="x")
        assert (await end.letter(world.gateway, Withdrawal)).ending == "cut"
        assert (await end.message(CloseLegs)).session == session.public_id


async def test_a_revoked_grant_drains(committed_world: World, tmp_path: Path) -> None:
    world = committed_world
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        session = await inside(start, world)
        grant = await inside(lambda: Session.objects.get(pk=session.pk).grant.public_id)
        await inside(access.revoke, actor=world.owner, grant=grant, reason="x")
        assert (await end.letter(world.gateway, Withdrawal)).ending == "drain"
        assert not [m for m in end.heard if isinstance(m, CloseLegs)]


async def test_what_waits_in_vain_ends_within_a_few_seconds(committed_world: World, tmp_path: Path) -> None:
    world = committed_world
    async with running(tmp_path, world.relay):
        request = await inside(world.request)
        await inside(
            identity.set_supplier_enabled, actor=world.owner, supplier=world.supplier, enabled=False, reason="breach"
        )
        await until_true(lambda: AccessRequest.objects.get(public_id=request).state == "lapsed")


async def test_a_revoked_gateway_hears_of_the_cut_before_it_is_struck_from_the_list(
    committed_world: World, tmp_path: Path
) -> None:
    world = committed_world
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        await inside(start, world)
        key = (await inside(keys.signer, "ticket")).key.public_key()
        await inside(admission.revoke_gateway, actor=world.owner, gateway=world.gateway.id, reason="stolen")

        def struck() -> int | None:
            empty = [
                at
                for at, m in enumerate(end.heard)
                if isinstance(m, SetAdmitted) and not open_admitted(m.signed, key).gateways
            ]
            return empty[0] if empty else None

        at = await end.until(struck)
        before = [s for m in end.heard[:at] if isinstance(m, Deliver) for s in m.sealed]
        assert any(isinstance(letter, Withdrawal) for letter in world.gateway.read(before))


async def test_a_forked_gateway_is_dropped_and_its_sessions_are_cut(committed_world: World, tmp_path: Path) -> None:
    import copy

    world, gateway = committed_world, committed_world.gateway
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        session = await inside(start, world)
        twin = copy.copy(gateway)
        end.carry(gateway, gateway.say("gateway.started"))
        await end.letter(gateway, Acknowledgement)
        end.carry(gateway, twin.say("gateway.started", version="evil"))
        await end.message(DropGateway)
        assert await inside(lambda: Gateway.objects.get(public_id=gateway.id).state) == "quarantined"
        assert await inside(state_of, session) == "cutting"


async def test_what_another_process_decided_is_said_within_a_few_seconds(
    committed_world: World, tmp_path: Path
) -> None:
    world = committed_world
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        session = await inside(start, world)
        from portineria.control.remote_sessions import outgoing

        ways = list(outgoing._attached)
        outgoing.detach()  # as in a process of its own: no switchboard there
        await inside(services.cut, actor=world.owner, session=session.public_id, reason="from the command line")
        outgoing._attached[:] = ways
        assert (await end.letter(world.gateway, Withdrawal)).ending == "cut"


async def test_a_locked_database_delays_and_loses_nothing(committed_world: World, tmp_path: Path) -> None:
    world, gateway = committed_world, committed_world.gateway
    async with running(tmp_path, world.relay) as end:
        await linked(end, world)
        held, release = threading.Event(), threading.Event()

        def hold() -> None:
            with writers_held_up():
                held.set()
                release.wait(DEADLINE_S)

        holding = asyncio.create_task(inside(hold))
        await asyncio.to_thread(held.wait, DEADLINE_S)
        report = gateway.say("gateway.started")
        end.carry(gateway, report)
        assert not any(isinstance(x, Acknowledgement) for x in end.letters(gateway))
        release.set()
        await holding
        end.carry(gateway, report)  # a gateway repeats what was not acknowledged
        assert (await end.letter(gateway, Acknowledgement)).up_to_seq == 1
        assert await inside(GatewayReport.objects.count) == 1
