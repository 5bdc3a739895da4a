# SPDX-License-Identifier: Apache-2.0
"""What stands between a plant and the world: a line that can be cut, frozen or slow, and a real corporate proxy."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from portineria.dataplane.aio.task import Tasks


class Line:
    """A TCP line to ``target`` that a test can damage. Run it with ``async with``; dial ``address``."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.address = ("", 0)
        self.accepted = 0
        self.carried = 0
        self._open = asyncio.Event()
        self._open.set()
        self._chunk, self._pause_s = 65536, 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Line":
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.address = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def black_hole(self) -> None:
        """Forward nothing more, keep every socket open: what a dead WAN or an expired NAT entry looks like."""
        self._open.clear()

    def heal(self) -> None:
        self._open.set()

    def crumble(self, chunk: int, pause_s: float = 0.0) -> None:
        """Forward at most ``chunk`` bytes at a time: every record and frame arrives in pieces."""
        self._chunk, self._pause_s = chunk, pause_s

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.ensure_future(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(self._chunk):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
                self.carried += len(data)
                if self._pause_s:
                    await asyncio.sleep(self._pause_s)
            with contextlib.suppress(OSError):
                sink.write_eof()


@contextlib.asynccontextmanager
async def trickle() -> AsyncIterator[tuple[str, int]]:
    """The address of an HTTP server that begins every answer and goes on with it, a byte a second, for ever."""

    tasks = Tasks()

    async def drip(writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\nX-Slowly: ")
            while not writer.is_closing():
                writer.write(b"x")
                await asyncio.sleep(1)
        finally:
            writer.transport.abort()

    def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.spawn(drip(writer), "drip")

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[:2]
        await tasks.close()


@dataclass(frozen=True)
class Squid:
    """A running squid that allows CONNECT to anywhere on this machine."""

    port: int
    log: Path
    address: str = "127.0.0.1"

    def url(self, credentials: str = "") -> str:
        return f"http://{credentials}{'@' if credentials else ''}{self.address}:{self.port}"

    @property
    def tunnels(self) -> list[str]:
        """The CONNECT lines of its log."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if " CONNECT " in line]


NAME, PASSWORD = "plant", "ga:te w@y"  # a password that has to be percent-encoded in an address
ENCODED = "plant:ga%3Ate%20w%40y"


@contextlib.contextmanager
def squid(*, with_password: bool, address: str = "127.0.0.1", names: str = "") -> Iterator[Squid]:
    """``names``: what only it can resolve, as in /etc/hosts."""
    program = shutil.which("squid") or "/usr/sbin/squid"
    if not Path(program).exists():
        pytest.skip("squid is missing: sudo apt-get install --no-install-recommends squid")
    folder = Path(tempfile.mkdtemp(prefix="squid-"))
    port = free_port()
    lines = [
        f"http_port {address}:{port}", f"pid_filename {folder}/pid", f"access_log stdio:{folder}/access.log",
        f"cache_log {folder}/cache.log", "cache deny all", f"coredump_dir {folder}", "shutdown_lifetime 0 seconds",
        "max_filedescriptors 1024", "acl CONNECT method CONNECT",
    ]  # fmt: skip
    (folder / "hosts").write_text(names)
    lines.append(f"hosts_file {folder}/hosts")
    if with_password:
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, text=True, capture_output=True, check=True
        ).stdout.strip()
        (folder / "passwords").write_text(f"{NAME}:{hashed}\n")
        lines += [
            f"auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/passwords",
            "auth_param basic realm plant", "acl known proxy_auth REQUIRED",
            "http_access allow CONNECT known",
        ]  # fmt: skip
    else:
        lines.append("http_access allow CONNECT")
    (folder / "squid.conf").write_text("\n".join([*lines, "http_access deny all"]) + "\n")
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "proxy", "proxy")
    process = subprocess.Popen([program, "-N", "-f", str(folder / "squid.conf")])
    try:
        wait_for(port, address)
        yield Squid(port, folder / "access.log", address)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, host: str = "127.0.0.1", seconds: float = 15) -> None:
    """Until something listens there."""

    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
