# SPDX-License-Identifier: Apache-2.0
"""Taking the outer layer off without losing or misplacing a byte, whatever the network does to the records."""

import asyncio
import socket
import time

import pytest

from portineria.core.errors import ProtocolError
from portineria.dataplane.aio import outer as module
from portineria.dataplane.aio.outer import Outer, abort_socket
from portineria.dataplane.aio.tls import TlsLayer, Truncated, outer_context, relay_context
from portineria.wire.frame import FIRST_FRAME_BYTES, BadFrame, encode_frame
from portineria.wire.leg import LEG_ALPN
from tests.integration.aio.ends import Installation

Pair = tuple[socket.socket, socket.socket]
GO = encode_frame(b"go")


async def shaken(ours: Installation, pair: Pair) -> tuple[Outer, Outer]:
    """(an end, the relay), after the handshake."""
    end = Outer(pair[0], outer_context(LEG_ALPN), server_side=False)
    relay = Outer(pair[1], relay_context(*ours.files("relay")), server_side=True)
    await asyncio.gather(end.handshake(), relay.handshake())
    return end, relay


async def receive(sock: socket.socket) -> bytes:
    async with asyncio.timeout(30):
        return await asyncio.get_running_loop().sock_recv(sock, 1000)


async def test_after_the_goodbyes_the_connection_is_plain_and_open(ours: Installation, pair: Pair) -> None:
    end, relay = await shaken(ours, pair)
    await relay.send(GO)
    assert await end.receive() == b"go"
    _, rest = await asyncio.gather(end.take_off_as_end(), relay.take_off_as_relay())
    assert rest == b""
    pair[0].send(b"\x16 client hello")
    assert await receive(pair[1]) == b"\x16 client hello"
    pair[1].send(b"\x16 server hello")
    assert await receive(pair[0]) == b"\x16 server hello"


def relays_last_words(relay: Outer) -> bytes:
    """GO and the goodbye as they would lie on the line together."""
    relay.layer.write(GO)
    relay.layer.unwrap()
    return relay.layer.take_outgoing()


@pytest.mark.parametrize("size", [1, 7, 1 << 16], ids=["byte by byte", "in sevens", "in one read"])
async def test_the_last_frame_and_the_goodbye_split_and_coalesced(ours: Installation, pair: Pair, size: int) -> None:
    end, relay = await shaken(ours, pair)
    words = relays_last_words(relay)

    async def crumble() -> None:
        for at in range(0, len(words), size):
            pair[1].send(words[at : at + size])
            await asyncio.sleep(0)

    async def leave() -> None:
        assert await end.receive() == b"go"
        await end.take_off_as_end()

    async with asyncio.timeout(30):
        _, _, rest = await asyncio.gather(crumble(), leave(), relay.take_off_as_relay())
    assert rest == b""


@pytest.mark.parametrize("size", [1, 5, 1 << 16], ids=["byte by byte", "in fives", "in one read"])
async def test_a_client_hello_behind_the_ends_goodbye_is_kept_for_the_other_leg(
    ours: Installation, pair: Pair, size: int
) -> None:
    end, relay = await shaken(ours, pair)
    hello = b"\x16\x03\x01\x00\x05hello"
    end.layer.feed(relays_last_words(relay))
    end.layer.read()
    end.layer.unwrap()
    said = end.layer.take_outgoing() + hello

    async def crumble() -> None:
        for at in range(0, len(said), size):
            pair[0].send(said[at : at + size])
            await asyncio.sleep(0)

    async with asyncio.timeout(30):
        _, rest = await asyncio.gather(crumble(), relay.take_off_as_relay())
    arrived = rest
    while len(arrived) < len(hello):
        arrived += await receive(pair[1])
    assert arrived == hello


async def test_an_end_that_talks_instead_of_saying_goodbye_is_refused(ours: Installation, pair: Pair) -> None:
    end, relay = await shaken(ours, pair)
    await end.send(encode_frame(b"heartbeat"))
    with pytest.raises(ProtocolError):
        await relay.take_off_as_relay()


@pytest.mark.parametrize("words", [GO + GO, GO + b"\0"], ids=["a frame", "a byte"])
async def test_words_between_the_last_frame_and_the_goodbye_are_refused(
    ours: Installation, pair: Pair, words: bytes
) -> None:
    end, relay = await shaken(ours, pair)
    relay.layer.write(words)
    relay.layer.unwrap()
    await relay.flush()
    assert await end.receive() == b"go"
    with pytest.raises(BadFrame):
        await end.take_off_as_end()


async def test_bytes_the_relay_forwards_too_early_are_refused(ours: Installation, pair: Pair) -> None:
    """They would be taken for the other end's, before our goodbye says where its session begins."""
    end, relay = await shaken(ours, pair)
    pair[1].send(relays_last_words(relay) + b"\x16\x03\x01\x00\x05hello")
    assert await end.receive() == b"go"
    with pytest.raises(BadFrame):
        await end.take_off_as_end()


@pytest.mark.parametrize("as_relay", [True, False])
async def test_a_withheld_goodbye_is_waited_for_three_seconds_at_most(
    ours: Installation, pair: Pair, as_relay: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.CLOSE_S == 3.0
    monkeypatch.setattr(module, "CLOSE_S", 0.2)
    end, relay = await shaken(ours, pair)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await (relay.take_off_as_relay() if as_relay else end.take_off_as_end())
    assert 0.15 < time.monotonic() - started < 10


@pytest.mark.parametrize("as_relay", [True, False])
async def test_a_peer_that_leaves_instead_is_reported(ours: Installation, pair: Pair, as_relay: bool) -> None:
    end, relay = await shaken(ours, pair)
    (pair[0] if as_relay else pair[1]).shutdown(socket.SHUT_WR)
    with pytest.raises(Truncated):
        await (relay.take_off_as_relay() if as_relay else end.take_off_as_end())


async def test_the_first_frame_is_limited_and_may_come_in_pieces(ours: Installation, pair: Pair) -> None:
    end, relay = await shaken(ours, pair)
    largest = encode_frame(bytes(FIRST_FRAME_BYTES))
    for at in range(0, len(largest), 500):
        await end.send(largest[at : at + 500])
    assert await relay.receive() == bytes(FIRST_FRAME_BYTES)
    await end.send((FIRST_FRAME_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(BadFrame):
        await relay.receive()


async def test_a_goodbye_instead_of_a_frame_is_reported(ours: Installation, pair: Pair) -> None:
    end, relay = await shaken(ours, pair)
    end.layer.unwrap()
    await end.flush()
    with pytest.raises(Truncated):
        await relay.receive()


async def test_what_followed_the_last_frame_begins_the_nested_session(ours: Installation, pair: Pair) -> None:
    end, relay = await shaken(ours, pair)
    await relay.send(GO + b"\x16 the beginning")
    assert await end.receive() == b"go"
    assert end.take_early() == b"\x16 the beginning"


async def test_plain_http_is_no_handshake(ours: Installation, pair: Pair) -> None:
    pair[0].send(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ProtocolError):
        await Outer(pair[1], relay_context(*ours.files("relay")), server_side=True).handshake()


async def test_an_aborted_connection_delivers_nothing_that_still_waited(pair: Pair) -> None:
    near, far = pair
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    written = 0
    while True:
        try:
            written += near.send(bytes(1 << 16))
        except BlockingIOError:
            break
    abort_socket(near)
    received = 0

    async def read_to_the_end() -> None:
        nonlocal received
        while data := await asyncio.get_running_loop().sock_recv(far, 1 << 16):
            received += len(data)

    with pytest.raises(ConnectionResetError):
        await read_to_the_end()
    assert received < written


def test_a_layer_can_be_taken_off_before_its_own_records_were_all_read(ours: Installation) -> None:
    """What lies behind the goodbye is handed back untouched, also when it came in the same read."""
    client = TlsLayer(outer_context(LEG_ALPN), server_side=False)
    relay = TlsLayer(relay_context(*ours.files("relay")), server_side=True)
    for _ in range(3):
        client.handshake()
        relay.feed(client.take_outgoing())
        relay.handshake()
        client.feed(relay.take_outgoing())
    relay.unwrap()
    client.feed(relay.take_outgoing())
    assert client.read() == []
    assert client.unwrap()
    relay.feed(client.take_outgoing() + b"behind")
    assert relay.unwrap()
    assert relay.take_rest() == b"behind"
