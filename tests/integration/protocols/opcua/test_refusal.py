# SPDX-License-Identifier: Apache-2.0
"""A stock client whose writes are refused shows its ordinary error and goes on; nothing of them reached the server."""

from __future__ import annotations

import os
import socket

import pytest
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.callback import CallbackType
from asyncua.server.server import Server

from portineria.protocols.inspection import Request
from portineria.protocols.opcua import INFO
from portineria.protocols.operation import Kind
from tests.integration.protocols.pump import pumping

OPERATIONS = 10_000 if os.environ.get("PORTINERIA_DEEP") else 1_000
LOOKING = {Kind.IDENTIFY, Kind.READ, Kind.SESSION}


def looks_only(request: Request) -> bool:
    return all(operation.kind in LOOKING for operation in request.operations)


async def test_a_refused_write_leaves_the_client_working() -> None:
    """One refused write after each hundred reads, all on one session; what is allowed still arrives."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    speed = await server.nodes.objects.add_variable(ua.NodeId.from_string("ns=2;s=Speed"), "Speed", 7)
    await speed.set_writable()
    reached = list[ua.NodeId]()  # the server's own word for what is written; its clock writes other nodes
    server.subscribe_server_callback(
        CallbackType.PreWrite,
        lambda event, _: reached.extend(each.NodeId for each in event.request_params.NodesToWrite),
    )
    async with server, pumping(INFO.begin, ("127.0.0.1", port), looks_only) as pump:
        async with Client(f"opc.tcp://127.0.0.1:{pump.port}") as client:
            node = client.get_node(speed.nodeid)
            for number in range(OPERATIONS):
                if number % 100 == 0:
                    with pytest.raises(ua.uaerrors.BadUserAccessDenied):
                        await node.write_value(number + 100)
                assert await node.read_value() == 7
        assert (pump.connections, len(pump.refused), pump.undecodable) == (1, OPERATIONS // 100, [])
        assert {str(each.operations[0].targets[0]) for each in pump.refused} == {"node ns=2;s=Speed"}
        assert pump.refused[0].operations[0].values == (100,)
        assert (await speed.read_value(), reached.count(speed.nodeid)) == (7, 0)
        pump.allowed = lambda _: True
        async with Client(f"opc.tcp://127.0.0.1:{pump.port}") as client:
            await client.get_node(speed.nodeid).write_value(8)
        assert (await speed.read_value(), reached.count(speed.nodeid)) == (8, 1)
