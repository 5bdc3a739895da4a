# SPDX-License-Identifier: Apache-2.0
"""Dialling out through a real corporate proxy."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from portineria.dataplane.aio import dial as dialling
from portineria.dataplane.aio.dial import BadProxy, dial, proxy_for, read_proxy
from portineria.wire.http_connect import ProxyCredentials, ProxyRefused
from tests.integration.middlebox import ENCODED, Squid, squid


@pytest.fixture(scope="module")
def open_proxy() -> Iterator[Squid]:
    with squid(with_password=False) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def guarded_proxy() -> Iterator[Squid]:
    with squid(with_password=True) as proxy:
        yield proxy


async def _greeting_through(url: str) -> bytes:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(5) == b"hello"  # as in TLS, the dialling side speaks first
        writer.write(b"first byte is mine")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        sock: socket.socket = await dial("127.0.0.1", port, read_proxy(url))
        try:
            async with asyncio.timeout(30):
                await asyncio.get_running_loop().sock_sendall(sock, b"hello")
                return await asyncio.get_running_loop().sock_recv(sock, 100)
        finally:
            sock.close()


async def test_bytes_pass_an_open_proxy_from_the_first_one(open_proxy: Squid) -> None:
    assert await _greeting_through(open_proxy.url()) == b"first byte is mine"


async def test_bytes_pass_a_proxy_that_wants_a_password(guarded_proxy: Squid) -> None:
    assert await _greeting_through(guarded_proxy.url(ENCODED)) == b"first byte is mine"


@pytest.mark.parametrize("credentials", ["", "plant:wrong"])
async def test_a_proxy_that_wants_other_credentials_is_named(guarded_proxy: Squid, credentials: str) -> None:
    with pytest.raises(ProxyCredentials, match="407"):
        await _greeting_through(guarded_proxy.url(credentials))


async def test_a_proxy_that_cannot_reach_the_other_side_says_so(open_proxy: Squid) -> None:
    with pytest.raises(ProxyRefused, match="503") as caught:
        await dial("127.0.0.1", 1, read_proxy(open_proxy.url()))
    assert type(caught.value) is ProxyRefused


async def test_a_proxy_that_never_answers_is_given_up_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialling, "CONNECT_S", 0.3)
    over = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side hangs up
        writer.close()
        over.set()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as silent, asyncio.timeout(60) as patience:
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(TimeoutError):
            await dial("relay.example", 443, read_proxy(f"http://127.0.0.1:{port}"))
        assert not patience.expired()
        await over.wait()


async def test_a_proxy_that_hangs_up_in_the_middle_is_no_way_out() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as rude, asyncio.timeout(60):
        port = rude.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionError, match="the proxy closed the connection"):
            await dial("relay.example", 443, read_proxy(f"http://127.0.0.1:{port}"))


def test_a_password_never_shows_in_a_proxys_text() -> None:
    assert "w@y" not in repr(read_proxy(f"http://{ENCODED}@proxy.example:3128"))


def test_the_setting_wins_over_the_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://surroundings.example:8080")
    found = proxy_for("relay.example", None)
    assert found is not None
    assert (found.host, found.port) == ("surroundings.example", 8080)
    assert proxy_for("relay.example", "none") is None
    for here in ("localhost", "127.0.0.1", "::1"):  # at the proxy that would be another computer
        assert proxy_for(here, None) is None
    monkeypatch.setenv("no_proxy", "relay.example")
    assert proxy_for("relay.example", None) is None


@pytest.mark.parametrize("url", ["socks5://proxy:1080", "http://", "https://proxy:3128", "http://proxy:99999"])
def test_a_proxy_of_another_kind_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadProxy):
        read_proxy(url)
