# SPDX-License-Identifier: Apache-2.0
"""Names of receivers to addresses, each in a thread of its own.

uvloop looks names up in libuv's pool, of which slow calls get half: two at a time. Two receivers whose resolver never
answers would keep every other name of this process waiting, that of the bus among them.
"""

import asyncio
import ipaddress
import socket
import ssl
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial

from portineria.sinks.apart import begun

_MOST = 8  # addresses of one name
_under_way: dict[str, Future[list[str]]] = {}  # of this process: one thread for each name, whoever asks
_guard = threading.Lock()


async def addresses(host: str) -> Sequence[str]:
    """In the order in which they are to be tried; an address is its own. Raise OSError: no such name, no resolver."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    with _guard:
        asked = _under_way.get(host)
        if asked is None or asked.done():
            asked = _under_way[host] = begun(partial(_looked_up, host))
    return await asyncio.wrap_future(asked)


def _looked_up(host: str) -> list[str]:
    try:
        places = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    finally:
        with _guard:
            _under_way.pop(host, None)
    return list(dict.fromkeys(str(place[4][0]) for place in places))[:_MOST]


async def connected(
    host: str, port: int, *, limit: int = 1 << 16, tls: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To the first of its addresses that answers; ``tls`` begins at once, for that name. Raise OSError."""
    failure = OSError(f"{host} has no address")
    name = host if tls is not None else None
    for address in await addresses(host):
        try:
            return await asyncio.open_connection(address, port, limit=limit, ssl=tls, server_hostname=name)
        except OSError as error:
            failure = error
    raise failure
