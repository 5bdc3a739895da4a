# SPDX-License-Identifier: Apache-2.0
"""The public port: who gets what, and what a stranger can hold up."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator

import pytest

from portineria.dataplane.relay.door import peek_alpn
from portineria.wire.client_hello import BadClientHello


def client_hello(alpn: list[str]) -> bytes:
    """What OpenSSL really sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


@pytest.fixture
async def ends() -> AsyncIterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    far.setblocking(False)
    yield near, far
    near.close()
    far.close()


async def test_a_hello_that_arrives_byte_by_byte_is_understood_and_left_unread(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    hello = client_hello(["portineria-leg/1"])
    peeking = asyncio.ensure_future(peek_alpn(far))
    for byte in hello:
        near.send(bytes([byte]))
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        assert await peeking == ("portineria-leg/1",)
    assert far.recv(65536) == hello


@pytest.mark.parametrize("alpn", [["h2", "http/1.1"], []])
async def test_a_browser_is_told_apart(ends: tuple[socket.socket, socket.socket], alpn: list[str]) -> None:
    near, far = ends
    near.send(client_hello(alpn))
    async with asyncio.timeout(30):
        assert await peek_alpn(far) == tuple(alpn)


async def test_plain_http_is_not_tls(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    near.send(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(30):
        assert await peek_alpn(far) == ()


@pytest.mark.parametrize("bad", [b"\x16\x03\x01\xff\xff" + bytes(64), b"\x16\x09\x09\x00\x10" + bytes(16)])
async def test_a_hello_that_cannot_be_is_refused(ends: tuple[socket.socket, socket.socket], bad: bytes) -> None:
    near, far = ends
    near.send(bad)
    async with asyncio.timeout(30):
        with pytest.raises(BadClientHello):
            await peek_alpn(far)


async def test_a_peer_that_leaves_in_the_middle_does_not_spin(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    near.send(client_hello(["h2"])[:40])
    peeking = asyncio.ensure_future(peek_alpn(far))
    await asyncio.sleep(0)
    near.close()
    async with asyncio.timeout(30):
        with pytest.raises(ConnectionError):
            await peeking
