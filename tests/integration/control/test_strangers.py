# SPDX-License-Identifier: Apache-2.0
"""What somebody who never signs in can hold up: connections that say nothing, requests and bodies without an end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import select
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from structlog.testing import capture_logs
from uvicorn.server import ServerState

from portineria.control import body_limit, console_connection, console_door
from portineria.control.body_limit import LIMIT_BYTES, SIGN_IN_BYTES, BodyLimit
from portineria.control.console_connection import ConsoleConnection
from portineria.control.console_door import ConsoleDoor
from portineria.control.console_places import PER_ADDRESS, Places
from portineria.control.settings.server import ServerSettings
from tests.integration.control.test_serve import Server, prepared, served

pytestmark = pytest.mark.sqlite  # its servers have a database of their own

__all__ = ["prepared"]
PATIENCE_S = 30
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Says whose request it was: ``/per_a`` is somebody signed in."""
    person = scope["path"].removeprefix("/")
    if person:
        scope["state"]["place"].prove(person)
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def connections(app: Any) -> Any:
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, http=ConsoleConnection, ws="none")
    config.load()
    state = ServerState()
    return lambda place: ConsoleConnection(place, config=config, server_state=state)


class Port:
    def __init__(self, app: Any, places: int = 200) -> None:
        self.places = Places(places)
        self._factory = connections(app)
        self.address: Any = None
        self._writers: list[asyncio.StreamWriter] = []

    def _made(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self._factory(self.places.take("192.0.2.1"))
        return made

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Port]:
        server = await asyncio.get_running_loop().create_server(self._made, "127.0.0.1", 0)
        self.address = server.sockets[0].getsockname()
        try:
            yield self
        finally:
            for writer in self._writers:
                writer.transport.abort()
            server.close()
            await asyncio.sleep(0)  # the aborted ones say so to their protocols

    async def call(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.address)
        self._writers.append(writer)
        return reader, writer


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What came until the end; a reset is an end too."""
    got = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            while part := await reader.read(65536):
                got += part
    return got


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_connection, "REQUEST_S", 0.3)
    monkeypatch.setattr(console_connection, "KEEP_ALIVE_S", 0.3)
    monkeypatch.setattr(body_limit, "BODY_S", 0.3)


@pytest.mark.usefixtures("impatient")
async def test_a_connection_that_asks_nothing_is_closed() -> None:
    async with Port(answer).open() as port:
        reader, _ = await port.call()
        assert await ended(reader) == b""
        assert port.places.strangers == 0


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("before", [b"", REQUEST], ids=["first", "second"])
async def test_a_request_that_comes_byte_by_byte_is_cut_off(before: bytes) -> None:
    async with Port(answer).open() as port:
        reader, writer = await port.call()
        writer.write(before)
        if before:
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\nok")
        trickle = asyncio.create_task(_trickle(writer))
        assert await ended(reader) == b""
        trickle.cancel()


async def _trickle(writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nX: ")
    while True:
        writer.write(b"a")
        await asyncio.sleep(0.02)


@pytest.mark.usefixtures("impatient")
async def test_an_answer_that_takes_long_is_waited_for() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(1)
        await answer(scope, receive, send)

    async with Port(slow).open() as port:
        reader, writer = await port.call()
        writer.write(REQUEST)
        assert b"200 OK" in await ended(reader)


async def test_a_flood_drives_away_its_own_and_nobody_who_signed_in() -> None:
    async with Port(answer).open() as port:
        known, knocks = await port.call()
        knocks.write(REQUEST.replace(b"/ ", b"/per_a ", 1))
        await known.readuntil(b"\r\n\r\nok")
        flood = [await port.call() for _ in range(PER_ADDRESS + 20)]
        for reader, _ in flood[:20]:
            assert await ended(reader) == b""
        assert port.places.strangers == PER_ADDRESS
        for reader, writer in (flood[-1], (known, knocks)):
            writer.write(REQUEST)
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\nok")


async def bodies(scope: Any, receive: Any, send: Any) -> None:
    """As Django would answer a refusal; says how long a body was that came through."""
    error = scope.get("portineria.refusal")
    text = error.code if error else str(len((await receive())["body"]))
    head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]}
    await send(head)
    await send({"type": "http.response.body", "body": text.encode()})


@pytest.mark.usefixtures("impatient")
async def test_a_body_that_never_ends_by_being_slow_is_refused_and_the_connection_closed() -> None:
    async with Port(BodyLimit(bodies)).open() as port:
        reader, writer = await port.call()
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
        got = await ended(reader)
        assert got.endswith(b"body.too-slow")
        assert b"connection: close" in got


@pytest.mark.parametrize(
    ("path", "size", "said"),
    [
        ("/", LIMIT_BYTES, str(LIMIT_BYTES)),
        ("/", LIMIT_BYTES + 1, "body.too-large"),
        ("/api/v1/gateways/enrol", SIGN_IN_BYTES, str(SIGN_IN_BYTES)),
        ("/api/v1/gateways/enrol", SIGN_IN_BYTES + 1, "body.too-large"),
        ("/api/v1/connector/token", SIGN_IN_BYTES + 1, "body.too-large"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_has_a_largest_size(path: str, size: int, said: str, chunked: bool) -> None:
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
    body = b"%x\r\n" % size + b"a" * size + b"\r\n0\r\n\r\n" if chunked else b"a" * size
    async with Port(BodyLimit(bodies)).open() as port:
        reader, writer = await port.call()
        writer.write(b"POST %s HTTP/1.1\r\nHost: a\r\n%s\r\nConnection: close\r\n\r\n" % (path.encode(), length) + body)
        assert (await ended(reader)).endswith(b"\r\n\r\n" + said.encode())


async def test_without_descriptors_the_door_waits_and_then_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_door, "_PAUSE_S", 0.3)
    with tempfile.TemporaryDirectory(prefix="door-") as folder:
        path = Path(folder) / "console.sock"
        settings = ServerSettings(state=tmp_path)
        door = ConsoleDoor(path, connections(answer), settings, 32)
        door.open()
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as way,
        ):
            near = socket.create_connection(listener.getsockname())
            far, _ = listener.accept()
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            with capture_logs() as logs, none_left(soft, hard):
                way.connect(str(path))
                await asyncio.sleep(1)
            failed = [line for line in logs if line["event"] == "console.accept.failed"]
            assert 1 <= len(failed) <= 5  # a busy loop would write thousands in a second
            socket.send_fds(way, [b"c"], [far.fileno()])
            far.close()
            near.sendall(REQUEST)
            near.setblocking(False)
            async with asyncio.timeout(PATIENCE_S):
                assert b"200 OK" in await asyncio.get_running_loop().sock_recv(near, 65536)
            near.close()
        await door.close()


@contextlib.contextmanager
def none_left(soft: int, hard: int) -> Iterator[None]:
    """The lowest free number is the limit: nothing can be opened."""
    with open("/dev/null") as probe:
        free = probe.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- the whole server ---------------------------------------------------------------------------------------------


@pytest.fixture
def server(prepared: Path) -> Iterator[Server]:
    with (
        tempfile.TemporaryDirectory(prefix="serve-") as folder,
        served(shutil.copytree(prepared, Path(folder) / "state"), "https") as running,
    ):
        yield running


def tls(server: Server) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), PATIENCE_S))


def endless(server: Server, path: str, language: str) -> bytes:
    """POST chunks until the server has answered; return the answer."""
    chunk = b"1000\r\n" + b"a" * 4096 + b"\r\n"
    with tls(server) as sock:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Language: {language}\r\n"
        sock.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            for number in range(25_000):  # 100 MB
                sock.sendall(chunk)
                if number > 32 and select.select([sock], [], [], 0)[0]:  # before that: TLS has things to say too
                    break
        got = b""
        with contextlib.suppress(OSError):
            while part := sock.recv(65536):
                got += part
        return got


def test_the_server_refuses_what_strangers_never_end(server: Server) -> None:
    head, _, body = endless(server, "/api/v1/gateways/enrol", "it").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 "), server.log.read_text()
    assert b"connection: close" in head
    assert json.loads(body)["code"] == "body.too-large"
    head, _, body = endless(server, "/accounts/login/", "en").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 "), server.log.read_text()
    assert b"larger than this server takes" in body
    silent = [tls(server) for _ in range(PER_ADDRESS + 40)]
    status, said = server.get("/api/v1/me") or (0, {})
    assert (status, said["code"]) == (401, "token.invalid")
    open_ones = [sock for sock in silent if still_open(sock)]
    assert len(open_ones) <= PER_ADDRESS
    for sock in silent:
        sock.close()


def still_open(sock: ssl.SSLSocket) -> bool:
    sock.settimeout(0.01)
    try:
        return bool(sock.recv(1))
    except TimeoutError:
        return True
    except OSError:
        return False
