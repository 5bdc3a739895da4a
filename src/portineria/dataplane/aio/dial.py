# SPDX-License-Identifier: Apache-2.0
"""Dialling out: TCP, through an HTTP CONNECT proxy where there is one."""

import asyncio
import contextlib
import ipaddress
import os
import socket
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from portineria.core.errors import Invalid
from portineria.dataplane.aio.thread import in_thread
from portineria.wire.http_connect import Proxy, answered, request

CONNECT_S = 10.0


class BadProxy(Invalid):
    code = "proxy.setting"


def read_proxy(url: str) -> Proxy:
    """``http://[user:password@]host:port``; credentials percent-encoded."""
    parts = urlsplit(url if "//" in url else f"http://{url}")
    try:
        port = parts.port or 3128
    except ValueError as error:
        raise BadProxy("the proxy's port is no number of 1 to 65535") from error
    if parts.scheme != "http" or not parts.hostname:
        raise BadProxy("a proxy is written http://[user:password@]host:port")
    user = unquote(parts.username) if parts.username is not None else None
    password = unquote(parts.password) if parts.password is not None else None
    return Proxy(parts.hostname, port, user, password)


def proxy_for(host: str, setting: str | None) -> Proxy | None:
    """The proxy to use for ``host``: the setting ("none" forbids one), else the surroundings'.

    The surroundings' is never used for this computer itself: its loopback addresses mean another one at the proxy.
    """
    if setting is not None:
        return None if setting in ("", "none") else read_proxy(setting)
    if _is_loopback(host):
        return None
    found = getproxies().get("https") or os.environ.get("ALL_PROXY")
    return read_proxy(found) if found and not proxy_bypass(host) else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def dial(host: str, port: int, proxy: Proxy | None = None) -> socket.socket:
    """A connected non-blocking socket whose next byte is the far end's. OSError, ProxyRefused, TimeoutError."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_S):
        near = (proxy.host, proxy.port) if proxy else (host, port)
        sock = await _connect(loop, *near)
        if proxy is None:
            return sock
        try:
            await loop.sock_sendall(sock, request(host, port, proxy))
            received = b""
            while not answered(received):
                data = await loop.sock_recv(sock, 4096)
                if not data:
                    raise ConnectionError("the proxy closed the connection")
                received += data
        except BaseException:
            sock.close()
            raise
        return sock


async def _addresses(host: str, port: int) -> list[tuple[Any, ...]]:
    """Not the loop's own getaddrinfo: its end waits for a resolver that nobody answers, half a minute and longer."""
    with contextlib.suppress(socket.gaierror):
        return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)]
    return [*await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))]


async def _connect(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """Try each address of ``host`` in turn. An address needs no resolver: a plant may have no DNS."""
    failure: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in await _addresses(host, port):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure
