# SPDX-License-Identifier: Apache-2.0
"""A stolen relay and the legs: it may swap, cut, invent and flood; it gets no session and no byte of one."""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.core.errors import ProtocolError
from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.channel import Channel
from portineria.dataplane.aio.outer import Outer
from portineria.dataplane.aio.tls import BadTls, inner_context
from portineria.dataplane.connector.admission import Admission
from portineria.dataplane.connector.legs import Legs, NoLeg
from portineria.wire.leg import FROM_RELAY, DialFailed, Go
from portineria.wire.statement import Asset
from portineria.wire.stream import Hello, encode_control
from tests.integration.authority import Authority
from tests.integration.credentials import PEM
from tests.integration.end import End, Refused, Stream
from tests.integration.floor import Device, Floor
from tests.integration.gateway_process import GatewayProcess
from tests.integration.hostile import HostileLink
from tests.integration.process import eventually
from tests.integration.relay.bare import way
from tests.integration.relay.conftest import Stolen, stolen_relay
from tests.integration.relay.meter import descriptors

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def works(stolen: Stolen) -> None:
    """The gateway still serves a technician."""
    stream = await stolen.open(stolen.end())
    await stream.say(b"alive")
    assert await stream.heard(5) == b"alive"
    stream.hang_up()


def real_connector(stolen: Stolen, end: End) -> Legs:
    """The connector's own code for making legs."""
    authority, relay = stolen.authority, stolen.authority.relay.address
    context = inner_context(server_side=False, chain=end.chain, key=end.key_file, issuer=authority.issuers["gateway"])
    admission = Admission(
        end.session, end.key, end.gateway, authority.gateways[end.gateway].spki_sha256, authority.issuers["gateway"],
        authority.issuers["relay"], authority.issuers["session"], b"", context, end.order_sha256, (relay,),
        (authority.ticket(relay.relay, end.gateway, end.session, end.key_sha256),), (), datetime.now(UTC), 30, 60,
    )  # fmt: skip
    return Legs(admission, way(authority), lambda _code: None)


# -- swapping --------------------------------------------------------------------------------------------------


async def test_a_leg_of_another_gateway_is_refused_by_the_connector(stolen: Stolen, floor: Floor) -> None:
    rival = GatewayProcess(stolen.authority, stolen.directory / "rival", reach=[f"{floor.network}:1-65535"])
    await rival.start()
    await stolen.authority.linked(rival.gateway)
    wrong = stolen.relay.link_of(rival.gateway)
    assert wrong is not None
    end = stolen.end()
    making = asyncio.ensure_future(real_connector(stolen, end).make())
    await stolen.relay.pair(wrong)
    with pytest.raises(NoLeg, match="expected") as caught:
        await making
    assert caught.value.code == "wire.certificate"

    # Nor does the other gateway know the session, whatever an end that looks at nothing would say to it.
    end.gateway = rival.gateway
    dialling = asyncio.ensure_future(end.dial())
    await stolen.relay.pair(wrong)
    with pytest.raises(Refused, match=r"order\.unknown"):
        await end.open(leg=await dialling)
    assert stolen.authority.found(rival.gateway, "stream.opened") == []
    await rival.end()

    right = asyncio.ensure_future(real_connector(stolen, stolen.end()).make())
    await stolen.relay.pair(await stolen.link())
    (await right).abort()


async def test_swapped_legs_of_two_sessions_still_reach_only_their_own_devices(stolen: Stolen, floor: Floor) -> None:
    other_device = Device(floor, number=13, port=1100)
    first, second = stolen.end(), stolen.end()
    second.permit([Asset(new_id(Kind.SERVICE), other_device.address, other_device.port)])
    link = await stolen.link()
    opening = [asyncio.ensure_future(end.open()) for end in (first, second)]
    connectors = [await stolen.relay.connectors.get() for _ in opening]
    dials = [await link.dial() for _ in opening]
    legs = [await stolen.relay.leg_for(dial) for dial in dials]
    for connector, leg in zip(connectors, reversed(legs), strict=True):
        stolen.relay.join(connector, leg, await stolen.relay.go(connector, leg))
    streams = [await task for task in opening]
    await streams[0].say(b"to the first")
    await streams[1].say(b"to the second")
    await streams[0].heard(12)
    await streams[1].heard(13)
    assert bytes(stolen.device.connections[-1].heard) == b"to the first"
    assert bytes(other_device.connections[-1].heard) == b"to the second"
    with pytest.raises(Refused, match="service"):  # and neither gets the other's device by asking
        await stolen_open(stolen, first, second.assets[0])
    for stream in streams:
        stream.hang_up()
    other_device.close()


async def stolen_open(stolen: Stolen, end: End, asset: Asset) -> None:
    link = await stolen.link()
    await asyncio.gather(end.open(asset), stolen.relay.pair(link))


# -- pretending to be an end -----------------------------------------------------------------------------------


def other_installation(stolen: Stolen, kind: str, name: str, tmp_path: Path) -> tuple[Path, Path]:
    """A certificate that says the right name, by issuers of the same name of another installation."""
    authority, key = Authority(tmp_path / "other"), ec.generate_private_key(ec.SECP256R1())
    leaf = authority.issue(kind, name, key.public_key())
    chain, private = tmp_path / "other.pem", tmp_path / "other.key"
    chain.write_bytes(leaf.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(*PEM))
    return chain, private


@pytest.mark.parametrize("whose", ["its own", "another installation's"])
async def test_the_relay_cannot_answer_in_the_gateway_s_place(stolen: Stolen, whose: str, tmp_path: Path) -> None:
    authority, end = stolen.authority, stolen.end()
    chain, key = authority.relay.certificate, authority.relay.key
    if whose != "its own":
        chain, key = other_installation(stolen, "gateway", stolen.gateway, tmp_path)
    dialling = asyncio.ensure_future(real_connector(stolen, end).make())
    connector = await stolen.relay.connectors.get()
    [early] = await stolen.relay.go(connector)
    context = inner_context(server_side=True, chain=chain, key=key, issuer=authority.issuers["session"])
    channel = Channel([])
    with pytest.raises((BadTls, ConnectionError)):
        await channel.start(connector.sock, context, server_side=True, early=early)
    with pytest.raises(NoLeg) as caught:
        await dialling
    assert caught.value.code in ("tls", "wire.certificate")


@pytest.mark.parametrize("whose", ["its own", "another installation's"])
async def test_the_relay_cannot_come_in_the_connector_s_place(stolen: Stolen, whose: str, tmp_path: Path) -> None:
    authority, end, link = stolen.authority, stolen.end(), await stolen.link()
    await authority.event(stolen.gateway, "order.accepted", end.session)
    chain, key = authority.relay.certificate, authority.relay.key
    if whose != "its own":
        chain, key = other_installation(stolen, "session", end.session, tmp_path)
    leg = await stolen.relay.leg_for(await link.dial())
    [early] = await stolen.relay.go(leg)
    context = inner_context(server_side=False, chain=chain, key=key, issuer=authority.issuers["gateway"])
    channel, heard = Channel([]), bytearray()
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    refused, before = stolen.process.said.count("leg.refused"), len(stolen.device.connections)
    with contextlib.suppress(BadTls, ConnectionError):  # the client's half of TLS 1.3 may end before it is judged
        await channel.start(leg.sock, context, server_side=False, early=early)
        channel.begin(lambda pieces: heard.extend(b"".join(pieces)), lambda _: lost.set_result(None))
        asset = end.assets[0]
        channel.write(encode_control(Hello(end.order_sha256, new_id(Kind.STREAM), asset.service, asset.port, 0)))
        async with asyncio.timeout(30):
            await lost
    assert heard == b""
    await eventually(lambda: stolen.process.said.count("leg.refused") > refused, "the gateway says why")
    assert len(stolen.device.connections) == before
    assert authority.found(stolen.gateway, "stream.opened", end.session) == []


async def test_a_session_without_an_order_opens_nothing(stolen: Stolen) -> None:
    granted, stranger = stolen.end(), End(stolen.authority, stolen.gateway, stolen.directory)
    stranger.assets, stranger.order_sha256 = granted.assets, granted.order_sha256  # he knows all but the key
    with pytest.raises(Refused, match=r"order\.unknown"):
        await stolen.open(stranger)
    assert stolen.authority.found(stolen.gateway, "stream.opened", stranger.session) == []


# -- cutting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_after", [0, 1, 200, 900, 1500, 2100, 2600, 3200, 5000, 20_000, 60_000])
async def test_a_leg_cut_anywhere_never_looks_like_an_end(stolen: Stolen, stop_after: int) -> None:
    end, data = stolen.end(hold_s=0), os.urandom(40_000)
    opening = await asyncio.gather(stolen.open(end, stop_after=stop_after), return_exceptions=True)
    if isinstance(opening[0], (ConnectionError, ProtocolError)):
        return  # cut before the stream was there: refused, not ended
    stream = opening[0]
    assert isinstance(stream, Stream)
    with contextlib.suppress(ConnectionError):
        await stream.say(data)
        stream.say_end()
    await eventually(lambda: stream.legs_lost or stream.over, "the cut is noticed")
    assert stream.over != "finished" or bytes(stream.tool.heard) == data
    closed = await stolen.authority.event(stolen.gateway, "stream.closed", end.session)
    assert closed.fields["how"] != "finished" or closed.fields["to_device"] == len(data)
    if stop_after < len(data):
        assert stream.over is None
        assert closed.fields["how"] == "hold.expired"


def lost_legs(stream: Stream, count: int) -> bool:
    return stream.legs_lost >= count


async def test_a_stream_cut_again_and_again_goes_on_where_it_was(stolen: Stolen) -> None:
    end, data, before = stolen.end(), os.urandom(300_000), len(stolen.device.connections)
    stream = await stolen.open(end, stop_after=30_000)
    saying = asyncio.ensure_future(stream.say(data))
    for number in range(1, 4):
        await eventually(partial(lost_legs, stream, number), "the leg is lost")
        stop = None if number == 3 else 30_000 * number
        link = await stolen.link()
        await asyncio.gather(end.resume(stream), stolen.relay.pair(link, stop_after=stop))
    await saying
    stream.say_end()
    assert await stream.heard(len(data)) == data
    await stream.ended("finished")
    assert len(stolen.device.connections) == before + 1
    found = stolen.authority.found
    await eventually(lambda: len(found(stolen.gateway, "stream.resumed", end.session)) == 3, "three blips on record")


# -- goodbyes --------------------------------------------------------------------------------------------------


async def test_a_withheld_goodbye_costs_each_end_three_seconds(stolen: Stolen) -> None:
    end, link, loop = stolen.end(), await stolen.link(), asyncio.get_running_loop()
    dialling = asyncio.ensure_future(end.dial())
    connector, gateway = await stolen.relay.both_legs(link)
    began = loop.time()
    for leg in (connector, gateway):
        await leg.send(FROM_RELAY.frame(Go(False)))  # and no close_notify
    with pytest.raises(TimeoutError):
        await dialling
    await eventually(lambda: any(isinstance(said, DialFailed) for said in link.said), "the gateway gives up too")
    assert 2.5 < loop.time() - began < 15
    await works(stolen)


async def both_ends_refuse(stolen: Stolen, mischief: Callable[[Outer], Awaitable[None]]) -> None:
    """Do it to a connector and to the gateway: both give up the leg, and the gateway lives."""
    end, link = stolen.end(), await stolen.link()
    failed = len([said for said in link.said if isinstance(said, DialFailed)])
    refused = stolen.process.said.count("leg.refused")
    dialling = asyncio.ensure_future(end.dial())
    connector, gateway = await stolen.relay.both_legs(link)
    await mischief(connector)
    await mischief(gateway)
    with pytest.raises((ProtocolError, ConnectionError)):
        await dialling
    await eventually(
        lambda: (
            len([said for said in link.said if isinstance(said, DialFailed)]) > failed
            or stolen.process.said.count("leg.refused") > refused
        ),
        "the gateway gives up the leg",
    )
    await works(stolen)


async def test_data_between_the_last_frame_and_the_goodbye_is_refused(stolen: Stolen) -> None:
    async def mischief(leg: Outer) -> None:
        leg.layer.write(FROM_RELAY.frame(Go(False)))
        leg.layer.write(b"\x00\x00\x00\x04more")
        leg.layer.unwrap()
        await leg.flush()

    await both_ends_refuse(stolen, mischief)


@pytest.mark.parametrize("at_once", [True, False], ids=["with it", "later"])
async def test_data_behind_the_goodbye_is_refused(stolen: Stolen, at_once: bool) -> None:
    async def mischief(leg: Outer) -> None:
        leg.layer.write(FROM_RELAY.frame(Go(False)))
        leg.layer.unwrap()
        garbage = secrets.token_bytes(100)
        if at_once:
            await asyncio.get_running_loop().sock_sendall(leg.sock, leg.layer.take_outgoing() + garbage)
            return
        await leg.flush()
        await leg.take_off_as_relay()
        await asyncio.get_running_loop().sock_sendall(leg.sock, garbage)

    await both_ends_refuse(stolen, mischief)


async def test_garbage_instead_of_an_answer_is_refused(stolen: Stolen) -> None:
    for answer in (b"\x00\x00\x00\x05\xc1\xc1\xc1\xc1\xc1", (4096).to_bytes(4, "big"), bytes(4)):

        async def mischief(leg: Outer, said: bytes = answer) -> None:
            await leg.send(said)

        await both_ends_refuse(stolen, mischief)


# -- modes -----------------------------------------------------------------------------------------------------


async def test_told_to_stay_nested_the_ends_lose_speed_and_nothing_else(stolen: Stolen) -> None:
    end, link = stolen.end(), await stolen.link()
    stream, _ = await asyncio.gather(end.open(nested=False), stolen.relay.pair(link, nested=True))
    await stream.say(b"a secret that stays inside")
    assert await stream.heard(26) == b"a secret that stays inside"
    stream.say_end()
    await stream.ended("finished")
    assert b"a secret that stays inside" not in stolen.relay.seen
    assert len(stolen.relay.seen) > 2000  # it saw the ciphertext


async def test_told_to_splice_an_end_that_wants_it_nested_stays_nested(stolen: Stolen) -> None:
    end, link = stolen.end(), await stolen.link()
    dialling = asyncio.ensure_future(end.dial(nested=True))
    connector, gateway = await stolen.relay.both_legs(link)
    for leg in (connector, gateway):
        leg.layer.write(FROM_RELAY.frame(Go(False)))
        leg.layer.unwrap()
        await leg.flush()
    with pytest.raises((ProtocolError, ConnectionError)):
        await dialling
    received = await asyncio.get_running_loop().sock_recv(connector.sock, 65536)
    assert received[:1] in (b"\x17", b"")  # records of the outer layer, never a ClientHello in the open
    await works(stolen)


# -- flooding --------------------------------------------------------------------------------------------------


async def test_a_gateway_dialled_without_end_bounds_its_legs_and_lives(
    floor: Floor, device: Device, tmp_path: Path
) -> None:
    async with stolen_relay(tmp_path, floor, device, leg_setups=16) as stolen:
        link, before = await stolen.link(), descriptors(stolen.process.pid)
        dials = [await link.dial() for _ in range(300)]
        await eventually(lambda: len(busy(link)) >= 300 - 16, "the rest is turned away")
        await eventually(lambda: legs_of(stolen, dials) == 16, "as many legs as it may set up")
        assert descriptors(stolen.process.pid) <= before + 16
        assert link is await stolen.link()  # the link was not lost over it
        for dial in dials:
            if stolen.relay.leg_for(dial).done():
                stolen.relay.leg_for(dial).result().abort()
        await eventually(lambda: descriptors(stolen.process.pid) <= before, "all places are free again")
        await works(stolen)


def busy(link: HostileLink) -> list[DialFailed]:
    return [said for said in link.said if isinstance(said, DialFailed) and said.code == "gateway.busy"]


def legs_of(stolen: Stolen, dials: list[bytes]) -> int:
    return sum(stolen.relay.leg_for(dial).done() for dial in dials)
