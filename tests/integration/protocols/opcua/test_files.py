# SPDX-License-Identifier: Apache-2.0
"""A stock client reads and writes a file whose methods have node ids of their own: hash and size are told."""

from __future__ import annotations

import hashlib
import socket
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_file import UaFile
from asyncua.common.methods import uamethod
from asyncua.common.node import Node
from asyncua.server.server import Server

from portineria.dataplane.gateway.work import Work
from portineria.protocols.inspection import Request
from portineria.protocols.opcua import INFO
from tests.integration.protocols.pump import pumping

RECIPE = bytes(range(256)) * 20


def _named(name: str) -> tuple[ua.NodeId, ua.QualifiedName]:
    """A node id of its own, under the name that the standard gives it."""
    return ua.NodeId.from_string(f"ns=2;s=Recipe.{name}"), ua.QualifiedName(name, ua.UInt16(0))


@dataclass
class File:
    """Part 5 annex C, as far as the client goes."""

    content: bytes = RECIPE
    at: dict[int, int] = field(default_factory=dict)

    async def into(self, server: Server) -> Node:
        file = await server.nodes.objects.add_object(2, "Recipe")
        await file.add_property(*_named("Size"), len(self.content), ua.VariantType.UInt64)
        handle, octets, size = ua.VariantType.UInt32, ua.VariantType.ByteString, ua.VariantType.Int32
        await file.add_method(*_named("Open"), self.open, [ua.VariantType.Byte], [handle])
        await file.add_method(*_named("Close"), self.close, [handle], [])
        await file.add_method(*_named("Read"), self.read, [handle, size], [octets])
        await file.add_method(*_named("Write"), self.write, [handle, octets], [])
        return file

    @uamethod
    def open(self, _parent: object, mode: int) -> int:
        self.at[len(self.at) + 1] = 0
        self.content = self.content if mode & 1 else b""
        return len(self.at)

    @uamethod
    def close(self, _parent: object, handle: int) -> None:
        assert handle in self.at

    @uamethod
    def read(self, _parent: object, handle: int, size: int) -> bytes:
        first = self.at[handle]
        self.at[handle] += size
        return self.content[first : first + size]

    @uamethod
    def write(self, _parent: object, handle: int, data: bytes) -> None:
        assert handle in self.at
        self.content += data


async def test_a_file_that_a_stock_client_reads_or_writes_is_told_by_hash_and_size() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server, file, work = Server(), File(), Work()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    place = (await file.into(server)).nodeid
    stream = work.of("svc_1")
    asked = list[Request]()

    def notes(request: Request) -> bool:
        asked.append(request)
        return True

    async with server, pumping(INFO.begin, ("127.0.0.1", port), notes) as pump:
        async with Client(f"opc.tcp://127.0.0.1:{pump.port}") as client:
            async with UaFile(client.get_node(place), "r") as opened:
                assert await opened.read() == RECIPE
            async with UaFile(client.get_node(place), "w") as opened:
                await opened.write(RECIPE[:1000])
                await opened.write(RECIPE[1000:])
        assert (pump.undecodable, file.content) == ([], RECIPE)
    for request in asked:
        stream.asked(request, refused=False, noted=False)
    for answer in pump.answers:
        stream.answered(answer)
    stream.close()
    told = [fields for code, fields in work.lines() if code == "work.transferred"]
    assert [(line["into_device"], line["bytes"], line["whole"]) for line in told] == [
        (False, len(RECIPE), True), (True, len(RECIPE), True),
    ]  # fmt: skip
    assert {line["content_sha256"] for line in told} == {hashlib.sha256(RECIPE).hexdigest()}
    assert {line["targets"] for line in told} == {f"file {place.to_string()}"}
