# SPDX-License-Identifier: Apache-2.0
"""Goodbyes and ClientHellos in pieces, glued together and late: between the same bytes nothing may depend on that."""

import asyncio
import os
import secrets
from pathlib import Path

import pytest

from portineria.dataplane.aio.leg import ReadyLeg, reach
from portineria.dataplane.aio.outer import Outer
from portineria.wire.leg import FROM_RELAY, LEG_ALPN, TO_RELAY, ConnectorLeg, Dial, FromRelay, GatewayLeg, Go, prove
from portineria.wire.statement import RelayAddress
from tests.integration.end import End
from tests.integration.floor import Device, Floor
from tests.integration.gateway_process import GatewayProcess
from tests.integration.middlebox import Line
from tests.integration.relay.bare import BareConnector, RawLeg, running, way
from tests.integration.relay.conftest import Bare, Plant
from tests.integration.relay.meter import settled

pytestmark = pytest.mark.asyncio(loop_scope="module")
PIECES = [1, 2, 3, 5, 7, 16, 23, 24, 25, 100, 517, 1400]  # 24: a close_notify of TLS 1.3 in one record


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "spliced"])
async def test_a_connector_s_line_may_crumble_into_pieces_of_any_size(plant: Plant, nested: bool) -> None:
    relay = plant.authority.relay.address
    async with Line((relay.host, relay.port)) as line:
        near = RelayAddress(relay.relay, *line.address)
        for size in PIECES:
            line.crumble(size)
            end, data = plant.end(), os.urandom(1500)
            async with asyncio.timeout(20):
                stream = await end.open(leg=await end.dial(nested=nested, relay=near))
                await stream.say(data)
                stream.say_end()
                assert await stream.heard(len(data)) == data, size
                await stream.ended("finished")
        assert line.accepted == len(PIECES)


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "spliced"])
async def test_a_gateway_s_line_may_crumble_into_pieces_of_any_size(
    floor: Floor, device: Device, tmp_path: Path, nested: bool
) -> None:
    async with running(tmp_path) as authority:
        relay = authority.relay.address
        async with Line((relay.host, relay.port)) as line:
            authority.relay.address = RelayAddress(relay.relay, *line.address)  # what the gateway pins
            gateway = GatewayProcess(authority, tmp_path / "gateway", reach=[f"{floor.network}:1-65535"], nested=nested)
            authority.relay.address = relay
            authority.admit(gateway.gateway)
            line.crumble(3)
            await gateway.start()
            await authority.linked(gateway.gateway)
            plant = Plant(authority, gateway, device, tmp_path)
            for size in PIECES:
                line.crumble(size)
                end, data = plant.end(), os.urandom(1500)
                async with asyncio.timeout(20):
                    stream = await end.open()
                    await stream.say(data)
                    stream.say_end()
                    assert await stream.heard(len(data)) == data, size
                    await stream.ended("finished")
            await gateway.end()


# -- by hand: every order in which the goodbyes and the first bytes behind them can arrive ---------------------------


class ByHand:
    """An end that takes its outer layer off step by step."""

    def __init__(self, outer: Outer) -> None:
        self.outer = outer

    async def told_to_go(self) -> FromRelay:
        """Read Go and the relay's goodbye."""
        message = FROM_RELAY.decode(await self.outer.receive())
        loop = asyncio.get_running_loop()
        while not self.outer.layer.peer_closed:
            self.outer.layer.read()
            if not self.outer.layer.peer_closed:
                self.outer.layer.feed(await loop.sock_recv(self.outer.sock, 65536))
        return message

    def goodbye(self) -> bytes:
        self.outer.layer.unwrap()
        return self.outer.layer.take_outgoing()

    async def send(self, data: bytes, *, piece: int = 0, pause_s: float = 0.0) -> None:
        loop, step = asyncio.get_running_loop(), piece or len(data)
        for at in range(0, len(data), step):
            await loop.sock_sendall(self.outer.sock, data[at : at + step])
            await asyncio.sleep(pause_s)

    def leg(self) -> RawLeg:
        return RawLeg(ReadyLeg(self.outer.sock, [], b"", None))


async def two_ends(bare: Bare) -> tuple[ByHand, ByHand]:
    """A connector's and a gateway's leg, both told to go."""
    link, connector = await bare.gateway.link(), BareConnector(bare.gateway)
    address, over = bare.authority.relay.address, way(bare.authority)
    mine, challenge, _ = await reach(address, over, LEG_ALPN)
    first = ConnectorLeg(connector.ticket(), connector.spki, prove(connector.key, challenge, "leg"), False)
    await mine.send(TO_RELAY.frame(first))
    dial = await link.hear()
    assert isinstance(dial, Dial)
    theirs, _, _ = await reach(address, over, LEG_ALPN)
    await theirs.send(TO_RELAY.frame(GatewayLeg(dial.nonce, False)))
    ends = ByHand(mine), ByHand(theirs)
    for end in ends:
        assert await end.told_to_go() == Go(False)
        bare.gateway.made.append(end.leg())
    return ends


@pytest.mark.parametrize("piece", [0, 1, 23, 24, 25], ids=["glued", "1", "23", "24", "25"])
@pytest.mark.parametrize("last", ["connector", "gateway"])
async def test_what_comes_behind_a_goodbye_arrives_first_and_whole(bare: Bare, piece: int, last: str) -> None:
    mine, theirs = await two_ends(bare)
    hello, answer = secrets.token_bytes(600), secrets.token_bytes(800)
    one, other = (mine, theirs) if last == "gateway" else (theirs, mine)
    words = {mine: hello, theirs: answer}
    await one.send(one.goodbye() + words[one], piece=piece)  # glued to it, long before the other is ready
    await asyncio.sleep(0.05)
    await other.send(other.goodbye() + words[other], piece=piece)
    async with asyncio.timeout(30):
        assert await theirs.leg().exactly(600) == hello
        assert await mine.leg().exactly(800) == answer
    await mine.send(b"and goes on")
    assert await theirs.leg().exactly(11) == b"and goes on"


async def test_nothing_is_forwarded_before_both_goodbyes(bare: Bare) -> None:
    mine, theirs = await two_ends(bare)
    await mine.send(mine.goodbye() + b"too early for the other")
    hearing = asyncio.ensure_future(theirs.leg().receive())
    await asyncio.sleep(0.3)
    assert not hearing.done()
    await theirs.send(theirs.goodbye())
    async with asyncio.timeout(30):
        assert await hearing == b"too early for the other"


async def test_an_end_that_says_goodbye_slowly_is_waited_for_up_to_three_seconds(bare: Bare) -> None:
    mine, theirs = await two_ends(bare)
    await mine.send(mine.goodbye())
    await theirs.send(theirs.goodbye() + b"here", piece=4, pause_s=0.2)  # 28 bytes: 1.4 s
    async with asyncio.timeout(30):
        assert await mine.leg().exactly(4) == b"here"


@pytest.mark.parametrize("wrong", ["data", "garbage", "nothing, then gone"])
async def test_something_else_than_a_goodbye_ends_both(bare: Bare, wrong: str) -> None:
    mine, theirs = await two_ends(bare)
    await theirs.send(theirs.goodbye())
    if wrong == "data":
        mine.outer.layer.write(b"one more thing")
        await mine.send(mine.outer.layer.take_outgoing() + mine.goodbye())
    elif wrong == "garbage":
        await mine.send(secrets.token_bytes(300))
    else:
        mine.outer.sock.close()
    await theirs.leg().gone(2)
    await settled(bare.authority.relay.process, waiting=0, legs=0, pairs=0, setups=0)


async def test_a_whole_session_passes_a_line_that_freezes_in_every_phase(plant: Plant) -> None:
    relay = plant.authority.relay.address
    async with Line((relay.host, relay.port)) as line:
        near, end = RelayAddress(relay.relay, *line.address), plant.end()

        async def stutter() -> None:
            while True:
                line.black_hole()
                await asyncio.sleep(0.1)
                line.heal()
                await asyncio.sleep(0.005)

        stuttering = asyncio.ensure_future(stutter())
        await talk(end, near)
        stuttering.cancel()
        await asyncio.gather(stuttering, return_exceptions=True)
        line.heal()


async def talk(end: End, near: RelayAddress) -> None:
    async with asyncio.timeout(20):
        stream = await end.open(leg=await end.dial(relay=near))
        await stream.say(bytes(5000))
        stream.say_end()
        await stream.heard(5000)
        await stream.ended("finished")
