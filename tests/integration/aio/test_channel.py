# SPDX-License-Identifier: Apache-2.0
"""A leg in use, end to end over real TCP, plain and inside a relay's outer layer."""

import asyncio
import os
import socket

import pytest

from portineria.dataplane.aio import channel as module
from portineria.dataplane.aio.channel import NotRead, OuterClosed
from portineria.dataplane.aio.outer import abort_socket
from portineria.dataplane.aio.tls import BadTls, TlsLayer, Truncated, outer_context, relay_context
from portineria.wire.leg import LEG_ALPN
from tests.integration.aio.ends import (
    Heard,
    Installation,
    channels,
    eventually,
    new_channel,
    stop_reading,
    transport_of,
)

pytestmark = pytest.mark.usefixtures("leaves_nothing_open")
Pair = tuple[socket.socket, socket.socket]


async def both_ends(ours: Installation, pair: Pair) -> tuple[Heard, Heard]:
    connector, gateway = await channels(ours, *pair)
    return Heard(connector), Heard(gateway)


def outer_pair(ours: Installation) -> tuple[TlsLayer, TlsLayer]:
    """Both sides of an outer layer that stays on, after its handshake."""
    client = TlsLayer(outer_context(LEG_ALPN), server_side=False)
    relay = TlsLayer(relay_context(*ours.files("relay")), server_side=True)
    while not (client.handshake() and relay.handshake()):
        relay.feed(client.take_outgoing())
        relay.handshake()
        client.feed(relay.take_outgoing())
    return client, relay


async def nested_ends(ours: Installation, pair: Pair) -> tuple[Heard, Heard]:
    client, relay = outer_pair(ours)
    connector, gateway = await channels(ours, *pair, outer=(client, relay))
    return Heard(connector), Heard(gateway)


@pytest.mark.parametrize("way", [both_ends, nested_ends])
async def test_bytes_pass_in_both_directions(ours: Installation, pair: Pair, way) -> None:
    connector, gateway = await way(ours, pair)
    there, back = os.urandom(500_000), os.urandom(300_000)
    connector.channel.write(there)
    gateway.channel.write(back[:7], back[7:])
    await eventually(lambda: gateway.data == there, "what the connector wrote")
    await eventually(lambda: connector.data == back, "what the gateway wrote")


@pytest.mark.parametrize("way", [both_ends, nested_ends])
async def test_a_goodbye_is_a_clean_end_and_loses_none_of_the_last_words(ours: Installation, pair: Pair, way) -> None:
    """Nested, both goodbyes come in one read with the last data: the inner one counts."""
    connector, gateway = await way(ours, pair)
    gateway.channel.write(b"END")
    gateway.channel.close()
    await eventually(lambda: connector.lost and gateway.lost, "both ends hear of it")
    assert connector.data == b"END"
    assert connector.lost == [None]
    assert gateway.lost == [None]


@pytest.mark.parametrize("way", [both_ends, nested_ends])
async def test_a_tcp_end_without_a_goodbye_is_truncated(ours: Installation, pair: Pair, way) -> None:
    connector, gateway = await way(ours, pair)
    gateway.channel.write(b"half a sen")
    await eventually(lambda: connector.data == b"half a sen", "what was said before")
    pair[1].shutdown(socket.SHUT_WR)
    await eventually(lambda: connector.lost, "the end")
    assert isinstance(connector.lost[0], Truncated)


async def test_a_relay_that_closes_its_layer_without_our_goodbye_is_noticed(ours: Installation, pair: Pair) -> None:
    near, far = pair
    client, relay = outer_pair(ours)
    connector = new_channel(client)
    starting = asyncio.ensure_future(
        connector.start(near, ours.context("session", server_side=False), server_side=False)
    )
    await asyncio.get_running_loop().sock_recv(far, 1)
    relay.unwrap()
    await asyncio.get_running_loop().sock_sendall(far, relay.take_outgoing())
    with pytest.raises(OuterClosed):
        await starting


async def test_a_reset_is_a_lost_leg(ours: Installation, pair: Pair) -> None:
    connector, gateway = await both_ends(ours, pair)
    gateway.channel.abort()
    await eventually(lambda: connector.lost, "the end")
    assert connector.lost[0] is not None
    assert gateway.channel.closed


@pytest.mark.parametrize("way", [both_ends, nested_ends])
async def test_rubbish_between_records_ends_the_leg_and_no_byte_of_it_arrives(
    ours: Installation, pair: Pair, way
) -> None:
    connector, _ = await way(ours, pair)
    os.write(pair[1].fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))  # as a hostile relay would
    await eventually(lambda: connector.lost, "the end")
    assert isinstance(connector.lost[0], BadTls)
    assert connector.data == b""


async def test_words_that_came_before_anybody_listened_come_first(ours: Installation, pair: Pair) -> None:
    connector, gateway = await channels(ours, *pair)
    gateway.write(b"early ")
    await asyncio.sleep(0)
    await eventually(lambda: connector._early, "they are kept")
    heard = Heard(connector)
    gateway.write(b"and late")
    await eventually(lambda: heard.data == b"early and late", "both, in order")


async def test_bytes_read_together_with_the_relays_last_frame_begin_the_handshake(
    ours: Installation, pair: Pair
) -> None:
    near, far = pair
    connector, gateway = new_channel(), new_channel()
    starting = asyncio.ensure_future(
        connector.start(near, ours.context("session", server_side=False), server_side=False)
    )
    early = await asyncio.get_running_loop().sock_recv(far, 100)  # the first part of the ClientHello
    await gateway.start(far, ours.context("gateway", server_side=True), server_side=True, early=early)
    await starting


async def test_a_bad_beginning_gets_its_alert(ours: Installation, pair: Pair) -> None:
    near, far = pair
    hello = b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00"  # a server's
    with pytest.raises(BadTls):
        await new_channel().start(far, ours.context("gateway", server_side=True), server_side=True, early=hello)
    alert = await asyncio.get_running_loop().sock_recv(near, 100)
    assert alert[:1] == b"\x15"


async def test_a_peer_that_leaves_during_the_handshake_is_reported_at_once(ours: Installation, pair: Pair) -> None:
    near, far = pair
    starting = asyncio.ensure_future(
        new_channel().start(far, ours.context("gateway", server_side=True), server_side=True)
    )
    near.close()
    async with asyncio.timeout(30):
        with pytest.raises((Truncated, ConnectionError)):
            await starting


async def test_who_asks_and_never_reads_loses_the_leg_instead_of_filling_our_memory(
    ours: Installation, pair: Pair
) -> None:
    connector, gateway = await both_ends(ours, pair)
    stop_reading(connector.channel)  # a hostile end: it only writes
    written = 0
    while not gateway.channel.closed and written < 200 << 20:
        gateway.channel.write(bytes(1 << 16))
        written += 1 << 16
        await asyncio.sleep(0)
    assert gateway.channel.closed
    assert isinstance(gateway.lost[0], NotRead)
    assert written < module.QUEUE_BYTES + (40 << 20)  # our queue and what the kernel's buffers hold


async def test_a_slow_reader_is_announced_and_so_is_its_recovery(ours: Installation, pair: Pair) -> None:
    connector, gateway = await both_ends(ours, pair)
    again = asyncio.Event()
    gateway.channel.on_writable = again.set
    stop_reading(connector.channel)
    written = 0
    while gateway.channel.writable:
        gateway.channel.write(bytes(1 << 16))
        written += 1 << 16
        await asyncio.sleep(0)
    transport_of(connector.channel).resume_reading()
    async with asyncio.timeout(10):
        await again.wait()
    await eventually(lambda: gateway.channel.writable, "it may be written to again")
    await eventually(lambda: len(connector.data) == written, "nothing is lost by it")


async def test_a_goodbye_that_nobody_reads_does_not_hold_the_connection_for_ever(
    ours: Installation, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GOODBYE_S", 0.2)
    connector, gateway = await both_ends(ours, pair)
    stop_reading(connector.channel)
    while gateway.channel.writable:
        gateway.channel.write(bytes(1 << 16))
        await asyncio.sleep(0)
    gateway.channel.close()
    await eventually(lambda: gateway.lost, "let go of", within_s=30)
    assert pair[1].fileno() == -1


async def test_writing_to_a_lost_leg_is_no_error(ours: Installation, pair: Pair) -> None:
    connector, gateway = await both_ends(ours, pair)
    abort_socket(pair[1].dup())
    gateway.channel.abort()
    await eventually(lambda: connector.lost, "the end")
    connector.channel.write(b"kept by the stream")
    connector.channel.close()
    connector.channel.abort()
    assert len(connector.lost) == 1
