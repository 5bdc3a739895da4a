# SPDX-License-Identifier: Apache-2.0
"""Where consent signals are read: files of the gateway's own folder, Modbus devices, OPC UA servers. Only ever read.

One connection for each device, kept; behind a failure the pauses grow, so that a device that is in trouble is left
alone. Whatever goes wrong is raised: OSError, TimeoutError or ProtocolError.
"""

import asyncio
import os
import secrets
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from portineria.core.errors import ProtocolError
from portineria.dataplane.aio.thread import in_thread
from portineria.protocols.modbus.frame import Splitter
from portineria.protocols.modbus.reading import COILS, DISCRETE_INPUTS, bit_answered, bit_request
from portineria.protocols.opcua.reading import ReadingClient, node_id
from portineria.wire.statement import SignalSource

_FILE_BYTES = 16
_ON, _OFF = b"1", b"0"
_CHUNK = 1 << 16  # of an answer


class BadSignal(ProtocolError):
    code = "signal.unreadable"


class Source(Protocol):
    """What one device, or the folder of files, is read by. None: it answers, and has no such thing.

    ``close`` lets go of the connection.
    """

    async def read(self, source: SignalSource) -> bool | None: ...

    def close(self) -> None: ...


class Files:
    """``1`` or ``0`` in a plain file, or in what a link leads to: ``/sys/class/gpio/gpio17/value``."""

    def __init__(self, folder: Path, read: Callable[[Path], bool] | None = None) -> None:
        self._folder, self._read = folder, read or _read_file
        self._under_way: set[str] = set()  # signals

    async def read(self, source: SignalSource) -> bool | None:
        """A file that hangs holds one thread, however often it is asked for."""
        name = source.place
        if not name or name.startswith(".") or "/" in name:
            raise BadSignal(f"no name of a file: {name[:40]!r}")
        if source.signal in self._under_way:
            raise BadSignal("an earlier reading has not come back")
        self._under_way.add(source.signal)
        return await in_thread(partial(self._read_once, source.signal, self._folder / name))

    def _read_once(self, signal: str, path: Path) -> bool:
        try:
            return self._read(path)
        finally:
            self._under_way.discard(signal)

    def close(self) -> None:
        """Nothing is kept open: a file that was replaced is another one."""


def _read_file(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadSignal("no plain file")
        text = os.read(descriptor, _FILE_BYTES).strip()
    finally:
        os.close(descriptor)
    if text not in (_ON, _OFF):
        raise BadSignal("neither 1 nor 0")
    return text == _ON


class _Line:
    """A connection to one device."""

    def __init__(self, address: str, port: int) -> None:
        self.address, self.port = address, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def open(self) -> bool:
        return self._writer is not None

    async def dial(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self.address, self.port, limit=_CHUNK)

    def send(self, data: bytes) -> None:
        assert self._writer is not None  # noqa: S101 - dialled before
        self._writer.write(data)

    async def some(self) -> bytes:
        assert self._reader is not None  # noqa: S101 - dialled before
        data = await self._reader.read(_CHUNK)
        if not data:
            raise ConnectionResetError("the device ended the connection")
        return data

    async def exactly(self, size: int) -> bytes:
        assert self._reader is not None  # noqa: S101 - dialled before
        return await self._reader.readexactly(size)

    def close(self, last: bytes = b"") -> None:
        """``last``: what the device is told where it takes it at once; nobody waits for one that is in trouble."""
        if self._writer is not None:
            transport = self._writer.transport
            if last and not transport.is_closing():
                self._writer.write(last)
            if last and not transport.get_write_buffer_size():
                transport.close()
            else:
                transport.abort()
        self._reader = self._writer = None


class Modbus:
    def __init__(self, address: str, port: int) -> None:
        self._line = _Line(address, port)
        self._splitter, self._transaction = Splitter(), 0

    async def read(self, source: SignalSource) -> bool | None:
        if not self._line.open:
            self._splitter = Splitter()
            await self._line.dial()
        self._transaction = (self._transaction + 1) & 0xFFFF
        function = COILS if source.kind == "modbus-coil" else DISCRETE_INPUTS
        request = bit_request(self._transaction, source.unit, function, source.number)
        self._line.send(request)
        while True:
            frames = self._splitter.take(await self._line.some())
            if frames:
                return bit_answered(frames[0], request)

    def close(self) -> None:
        self._line.close()


class OpcUa:
    def __init__(self, address: str, port: int) -> None:
        self._line = _Line(address, port)
        host = f"[{address}]" if ":" in address else address
        self._url = f"opc.tcp://{host}:{port}"
        self._client = ReadingClient(self._url, secrets.token_bytes(32))
        self._until = 0.0  # by the loop's clock: then the channel is made anew
        self._session = False  # one stands that the server would keep

    async def read(self, source: SignalSource) -> bool | None:
        node = node_id(source.place)
        if self._line.open and asyncio.get_running_loop().time() > self._until:
            self.close()
        if not self._line.open:
            await self._begin()
        self._line.send(self._client.read(node))
        return self._client.value(await self._answer())

    async def _begin(self) -> None:
        self._client = client = ReadingClient(self._url, secrets.token_bytes(32))
        await self._line.dial()
        self._line.send(client.hello())
        client.acknowledged(await self._chunk())
        self._line.send(client.open_channel())
        self._until = asyncio.get_running_loop().time() + client.channel_opened(await self._chunk()) / 1000 * 0.75
        self._line.send(client.create_session())
        client.session_created(await self._answer())
        self._session = True
        self._line.send(client.activate_session())
        client.session_activated(await self._answer())

    async def _answer(self) -> bytes:
        while (whole := self._client.answered(await self._chunk())) is None:
            pass
        return whole

    async def _chunk(self) -> bytes:
        head = await self._line.exactly(8)
        size = int.from_bytes(head[4:8], "little")
        if not 8 < size <= _CHUNK:
            raise BadSignal(f"a chunk of {size} bytes")
        return head + await self._line.exactly(size - 8)

    def close(self) -> None:
        """A server has few sessions, and keeps one that was dropped until its time is over."""
        self._line.close(self._client.end() if self._session else b"")
        self._session = False
