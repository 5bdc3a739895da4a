# SPDX-License-Identifier: Apache-2.0
"""Connections that a load balancer passes on: who is really behind them."""

import asyncio
import socket
from collections.abc import Sequence

from portineria.wire.proxy_protocol import HEAD_BYTES, BadProxyHeader, address_of, rest_bytes


async def read_peer(sock: socket.socket, balancers: Sequence[str]) -> str:
    """The address at the far end of an accepted, non-blocking socket; of a health check, the load balancer's own.

    A connection from one of ``balancers`` has to begin with a PROXY header, which is taken off; nobody else's is read.
    Raise BadProxyHeader, OSError. Bound it in time.
    """
    peer = str(sock.getpeername()[0])
    if peer.removeprefix("::ffff:") not in balancers:
        return peer
    loop = asyncio.get_running_loop()
    head = await _exactly(loop, sock, HEAD_BYTES)
    return address_of(head, await _exactly(loop, sock, rest_bytes(head))) or peer


async def _exactly(loop: asyncio.AbstractEventLoop, sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = await loop.sock_recv(sock, count - len(data))
        if not piece:
            raise BadProxyHeader("the connection ended inside its PROXY header")
        data += piece
    return data
