# SPDX-License-Identifier: Apache-2.0
"""The bus on a NATS server that is killed, frozen or cut off, with several control processes, and with slow readers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from portineria.bus.message import (
    CloseLegs,
    Deliver,
    DropGateway,
    Glanced,
    LinkDown,
    LinkUp,
    News,
    RelayUp,
    ToControls,
    ToRelay,
)
from portineria.bus.nats_access import read_access
from portineria.bus.nats_connection import QUEUE_BYTES
from portineria.bus.nats_end import NatsBusEnd
from portineria.process.settings import BadSettings
from portineria.wire.frame import BadFrame
from tests.integration.bus.world import NORTH, SOUTH, Control, NatsWorld, controlling, relay
from tests.integration.nats_server import Cable, NatsServer
from tests.integration.process import eventually

GONE, BACK = RelayUp(NORTH, []), RelayUp(NORTH, ["gw_a"])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[NatsWorld]:
    server = NatsServer(tmp_path / "nats", [NORTH, SOUTH])
    await server.start()
    yield NatsWorld(server)
    await server.process.end()


@pytest.fixture
async def control(world: NatsWorld) -> AsyncIterator[Control]:
    async with controlling(world) as control:
        yield control


@contextlib.asynccontextmanager
async def running(end: NatsBusEnd) -> AsyncIterator[None]:
    task = asyncio.ensure_future(end.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_killed_server_that_comes_back_finds_everybody(control: Control, world: NatsWorld) -> None:
    async with relay(control, gateways=["gw_a"]) as side:
        await eventually(lambda: BACK in control.heard, "greeted")
        await world.server.process.kill()
        await eventually(lambda: control.heard[-1] == GONE and not side.end.connected, "both sides notice")
        assert not control.bus.publish(NORTH, CloseLegs("ses_a"))
        assert not side.end.publish(LinkDown(NORTH, "gw_a"))
        side.gateways = ["gw_b"]
        await world.server.start()
        await eventually(lambda: control.heard[-1] == RelayUp(NORTH, ["gw_b"]), "greeted anew")
        await eventually(lambda: control.bus.publish(NORTH, DropGateway("gw_a")), "spoken to")
        await eventually(lambda: side.heard == [DropGateway("gw_a")], "and only what was said since")


async def test_a_frozen_server_is_noticed_and_its_thawing_too(control: Control, world: NatsWorld) -> None:
    async with relay(control, gateways=["gw_a"]) as side:
        await eventually(lambda: BACK in control.heard, "greeted")
        world.server.process.freeze()
        await eventually(lambda: control.heard[-1] == GONE and not side.end.connected, "both sides notice")
        side.gateways = ["gw_b"]
        world.server.process.thaw()
        await eventually(lambda: control.heard[-1] == RelayUp(NORTH, ["gw_b"]), "greeted anew")


async def test_nothing_piles_up_before_a_frozen_server(control: Control, world: NatsWorld) -> None:
    piece = bytes(1 << 20)
    async with relay(control) as side:
        world.server.process.freeze()
        taken = 0
        while control.bus.publish(NORTH, Deliver("gw_a", [piece])):
            taken += 1
            assert taken < 4 * (QUEUE_BYTES >> 20)
        assert taken > 0
        reported = 0
        while side.end.publish(LinkUp(NORTH, "gw_a", bytes(32), "192.0.2.1" * 7)):
            reported += 1
            assert reported < QUEUE_BYTES
        world.server.process.thaw()


async def test_a_relay_behind_a_cut_cable_is_gone_and_comes_back(control: Control, world: NatsWorld) -> None:
    """Also what a frozen relay looks like: TCP says nothing, its beats are missing."""
    gateways = ["gw_a"]
    async with Cable(world.server.port) as cable:
        heard: list[ToRelay] = []
        end = world.end(NORTH, heard.append, lambda: RelayUp(NORTH, gateways), url=cable.url)
        async with running(end), relay(control, SOUTH, ["gw_s"]):
            await eventually(lambda: BACK in control.heard, "greeted")
            cable.cut()
            assert end.publish(LinkUp(NORTH, "gw_old", bytes(32), ""))  # stays in the cable
            await eventually(lambda: control.heard[-1] == GONE and not end.connected, "both sides notice")
            gateways[:] = ["gw_b"]
            cable.mend()
            await eventually(lambda: RelayUp(NORTH, ["gw_b"]) in control.heard, "greeted anew")
            await eventually(lambda: control.bus.publish(NORTH, DropGateway("gw_a")), "spoken to")
            await eventually(lambda: DropGateway("gw_a") in heard, "and hears")
        assert LinkUp(NORTH, "gw_old", bytes(32), "") not in control.heard
        assert RelayUp(SOUTH, []) not in control.heard[: control.heard.index(RelayUp(NORTH, ["gw_b"]))]


async def test_a_lost_message_is_noticed_and_made_good_by_the_greeting(control: Control) -> None:
    async with relay(control, gateways=["gw_a"]) as side:
        await eventually(lambda: BACK in control.heard, "greeted")
        end = side.end
        assert isinstance(end, NatsBusEnd)
        end._number += 1  # as if one had been dropped under way
        side.gateways = ["gw_b"]
        assert end.publish(LinkDown(NORTH, "gw_x"))
        await eventually(lambda: control.heard[-1] == RelayUp(NORTH, ["gw_b"]), "asked, and greeted")
        assert LinkDown(NORTH, "gw_x") not in control.heard


async def test_a_relay_that_does_not_read_is_cut_off_by_the_server(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "small", [NORTH, SOUTH], more="max_pending: 8388608\n")
    await server.start()
    async with controlling(NatsWorld(server)) as control, Cable(server.port) as cable:
        end = NatsWorld(server).end(NORTH, lambda order: None, lambda: BACK, url=cable.url)
        async with running(end), relay(control, SOUTH) as south:
            await eventually(lambda: BACK in control.heard, "greeted")
            cable.cut()
            sent = 0
            while control.bus.publish(NORTH, Deliver("gw_a", [bytes(1 << 20)])):
                sent += 1
                assert sent < 500
                await asyncio.sleep(0.02)
            await eventually(lambda: control.heard[-1] == GONE, "gone")
            assert control.bus.publish(SOUTH, CloseLegs("ses_a"))
            await eventually(lambda: south.heard == [CloseLegs("ses_a")], "the other hears meanwhile")
            cable.mend()
            await eventually(lambda: control.heard[-1] == BACK, "and it may come back")
    await server.process.end()


async def test_two_control_processes_publish_and_one_listens(control: Control, world: NatsWorld) -> None:
    only_says = world.bus(None)
    await only_says.open([NORTH, SOUTH])
    async with relay(control) as side:
        await eventually(lambda: NORTH in only_says.relays, "it speaks to all that its server may know")
        assert only_says.publish(NORTH, CloseLegs("ses_a"))
        await eventually(lambda: side.heard == [CloseLegs("ses_a")], "cut by the one")
        assert control.bus.publish(NORTH, CloseLegs("ses_b"))
        await eventually(lambda: side.heard[1:] == [CloseLegs("ses_b")], "and by the other")
        heard = len(control.heard)
        await only_says.close()
        assert side.end.publish(LinkDown(NORTH, "gw_a"))
        await eventually(lambda: LinkDown(NORTH, "gw_a") in control.heard, "its going is nobody's trouble")
        assert GONE not in control.heard[heard:]


async def test_news_reach_the_others_and_not_the_teller(world: NatsWorld) -> None:
    mine: list[ToControls] = []
    theirs: list[ToControls] = []
    here, there = world.bus(None, mine.append), world.bus(None, theirs.append)
    await here.open([])
    await there.open([])
    item = News("org_a", 3, "access.grant.revoked", "per_a", session="ses_a")

    def arrived() -> bool:
        here.tell(item)  # until both are connected nobody hears
        return item in theirs

    await eventually(arrived, "told")
    answer = News("org_a", 4, "access.grant.revoked", "per_b")
    there.tell(answer)
    await eventually(lambda: mine == [answer], "only what the other told")
    glanced = Glanced("gw_a", [bytes(64 << 10)])  # still sealed, and larger than news
    there.tell(glanced)
    await eventually(lambda: mine == [answer, glanced], "what a gateway shows goes the same way")
    with pytest.raises(BadFrame):
        here.tell(News("org_a", 3, "x" * 2000, "per_a"))
    await here.close()
    await there.close()


@pytest.mark.parametrize(
    ("url", "why"),
    [("nats://192.0.2.1:4222", "loopback only"), ("ws://127.0.0.1:4222", "is not like"), ("tls://127.0.0.1", "is not"),
     ("tls://name:secret@127.0.0.1:4222", "is not like"), ("tls://127.0.0.1:4222/x", "is not like")],
)  # fmt: skip
def test_an_address_that_would_not_be_safe_is_refused(tmp_path: Path, url: str, why: str) -> None:
    with pytest.raises(BadSettings, match=why):
        read_access(url, tmp_path / "seed", None)


def test_a_seed_that_others_may_read_is_refused(tmp_path: Path) -> None:
    server = NatsServer(tmp_path, [NORTH])
    assert read_access(server.url, server.seed(NORTH), None).url == server.url
    server.seed(NORTH).chmod(0o640)
    with pytest.raises(BadSettings, match="chmod 600"):
        read_access(server.url, server.seed(NORTH), None)
    server.seed(NORTH).chmod(0o600)
    server.seed(NORTH).write_text(server.seed(NORTH).read_text()[:-3] + "AA")
    with pytest.raises(BadSettings, match="holds no seed"):
        read_access(server.url, server.seed(NORTH), None)
