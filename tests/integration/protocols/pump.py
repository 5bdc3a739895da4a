# SPDX-License-Identifier: Apache-2.0
"""The smallest owner of sockets that an Inspection can have: what comes is decided, then forwarded or refused."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

from portineria.protocols.inspection import Answer, Inspection, Request, Undecodable


@dataclass(slots=True)
class Pump:
    """``port``: where clients connect. ``undecodable``: why connections were ended."""

    begin: Callable[[], Inspection]
    device: tuple[str, int]
    allowed: Callable[[Request], bool]
    port: int = 0
    connections: int = 0
    refused: list[Request] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    undecodable: list[str] = field(default_factory=list)
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.serving.add(cast("asyncio.Task[None]", asyncio.current_task()))
        inspection, open_ends = self.begin(), [writer]
        try:
            from_device, to_device = await asyncio.open_connection(*self.device)
            open_ends.append(to_device)
            for each in open_ends:
                each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._up(inspection, reader, writer, to_device))
                both.create_task(self._down(inspection, from_device, writer))
        finally:
            for each in open_ends:
                each.close()
                with suppress(ConnectionError):
                    await each.wait_closed()

    async def _up(self, inspection, reader, writer, to_device) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                try:
                    requests = inspection.from_client(data)
                except Undecodable as bad:
                    self.undecodable.append(str(bad))
                    break
                writer.write(inspection.owed())
                for request in requests:
                    self._decide(inspection, request, writer, to_device)
                await asyncio.gather(writer.drain(), to_device.drain())
        to_device.close()

    def _decide(self, inspection: Inspection, request: Request, writer, to_device) -> None:
        if self.allowed(request):
            to_device.write(inspection.forward(request))
            return
        self.refused.append(request)
        refusal = inspection.refuse(request)
        writer.write(refusal.to_client)
        to_device.write(refusal.to_device)

    async def _down(self, inspection, from_device, writer) -> None:
        with suppress(ConnectionError):
            while data := await from_device.read(65536):
                try:
                    answers = inspection.from_device(data)
                except Undecodable as bad:
                    self.undecodable.append(str(bad))
                    break
                self.answers += answers
                writer.write(b"".join(answer.data for answer in answers))
                await writer.drain()
        writer.close()


@asynccontextmanager
async def pumping(
    begin: Callable[[], Inspection], device: tuple[str, int], allowed: Callable[[Request], bool]
) -> AsyncIterator[Pump]:
    pump = Pump(begin, device, allowed)
    server = await asyncio.start_server(pump.serve, "127.0.0.1", 0)
    pump.port = server.sockets[0].getsockname()[1]
    try:
        yield pump
    finally:
        server.close()
        await asyncio.wait_for(asyncio.gather(*pump.serving), 10)  # the test has closed its clients
        await server.wait_closed()
