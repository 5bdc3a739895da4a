# SPDX-License-Identifier: Apache-2.0
"""The one public port: console, links and legs, told apart by the ALPN of the ClientHello.

A console connection is handed to the web process as a file descriptor, unread: the relay never sees inside it, and
the web process sees the visitor's own address.
"""

import asyncio
import contextlib
import secrets
import socket
from collections import Counter
from collections.abc import Callable

import structlog

from portineria.core.errors import PortineriaError, Unavailable
from portineria.dataplane.aio.outer import CLOSE_S, LEG_IDLE_S, LINK_IDLE_S, Outer, keep_alive
from portineria.dataplane.aio.task import Tasks
from portineria.dataplane.aio.tls import relay_context
from portineria.dataplane.relay.link import Link
from portineria.dataplane.relay.relay import Relay, Turned
from portineria.process.behind import read_peer
from portineria.wire.client_hello import HELLO_BYTES, BadClientHello, alpn_names, is_tls
from portineria.wire.frame import BadFrame
from portineria.wire.leg import (
    FROM_RELAY,
    LEG_ALPN,
    LINK_ALPN,
    TO_RELAY,
    Challenge,
    ConnectorLeg,
    GatewayLeg,
    Refused,
    SpareLeg,
)

log = structlog.get_logger()
_BACKLOG = 1024


class NoPort(Unavailable):
    code = "relay.port"


class Door:
    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._settings = relay.settings
        self._context = relay_context(relay.settings.certificate, relay.settings.key)
        self._tasks = Tasks()
        self._setups: Counter[str] = Counter()
        self._listeners: list[socket.socket] = []

    def open(self) -> list[tuple[str, int]]:
        """Listen; return the addresses. Raises NoPort when one is taken, or not ours to listen on."""
        for address in self._settings.listen:
            host, _, port = address.rpartition(":")
            host = host.strip("[]")
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                listener = socket.create_server((host, int(port)), family=family, backlog=_BACKLOG)
            except OSError as error:
                why = str(error.strerror).partition(" (")[0]
                raise NoPort(
                    f"nobody can come in at {address}: {why}. If another program holds the port, end it (ss -ltnp "
                    "names it), or choose another one in public_url and relays of portineria.toml"
                ) from error
            listener.setblocking(False)
            self._listeners.append(listener)
            self._tasks.spawn(self._accept(listener), f"accept {address}")
        return [listener.getsockname()[:2] for listener in self._listeners]

    @property
    def setups(self) -> int:
        """Connections that have not proved themselves yet."""
        return self._setups.total()

    async def close(self) -> None:
        for listener in self._listeners:
            listener.close()
        await self._tasks.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listener)
            except OSError as error:  # out of descriptors: those in use go on, new ones wait in the backlog
                log.warning("door.accept.failed", why=str(error))
                await asyncio.sleep(0.1)
                continue
            peer = str(address[0])
            # Counted here, not in the task: a loop that accepts several at once must not overlook the limit.
            release = self._claim(peer, limited=peer not in self._settings.balancers)
            if release is None:
                sock.close()
                continue
            self._tasks.spawn(self._serve(sock, peer, release), "connection")

    def _claim(self, peer: str, *, limited: bool = True) -> Callable[[], None] | None:
        """A place among those that are being set up; None when there is none left, for this address or at all."""
        if self._setups.total() >= self._settings.setups:
            return None
        if limited and self._setups[peer] >= self._settings.setups_per_address:
            return None
        self._setups[peer] += 1
        return self._releaser(peer)

    async def _serve(self, sock: socket.socket, peer: str, release: Callable[[], None]) -> None:
        try:
            sock.setblocking(False)
            async with asyncio.timeout(self._settings.setup_s):
                behind = await read_peer(sock, self._settings.balancers)
                if behind != peer:
                    release()
                    place = self._claim(behind)
                    if place is None:
                        sock.close()
                        return
                    peer, release = behind, place
                names = await peek_alpn(sock)
            if LINK_ALPN in names:
                await self._link(sock, peer, release)
                release = _nothing  # the link holds the place itself, until its proof or its end
            elif LEG_ALPN in names:
                await self._leg(sock, release)
            else:
                await self._console(sock, peer)
        except Turned as error:
            log.info("leg.turned-away", peer=peer, code=error.code)
            sock.close()
        except (PortineriaError, OSError, TimeoutError) as error:
            log.info("connection.failed", peer=peer, why=f"{type(error).__name__}: {error}")
            sock.close()
        except asyncio.CancelledError:
            sock.close()
            raise
        finally:
            release()

    def _releaser(self, peer: str) -> Callable[[], None]:
        """Gives back one place among the set-ups, once."""
        held = True

        def release() -> None:
            nonlocal held
            if held:
                held = False
                self._setups[peer] -= 1
                if not self._setups[peer]:
                    del self._setups[peer]

        return release

    async def _link(self, sock: socket.socket, peer: str, release: Callable[[], None]) -> None:
        keep_alive(sock, LINK_IDLE_S)
        link = Link(self._relay, f"{peer}:{sock.getpeername()[1]}", release)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(
            lambda: link, sock, ssl=self._context, ssl_handshake_timeout=self._settings.setup_s,
            ssl_shutdown_timeout=CLOSE_S,
        )  # fmt: skip

    async def _leg(self, sock: socket.socket, release: Callable[[], None]) -> None:
        keep_alive(sock, LEG_IDLE_S)
        outer = Outer(sock, self._context, server_side=True)
        nonce = secrets.token_bytes(32)
        async with asyncio.timeout(self._settings.setup_s):
            await outer.handshake()
        outer.layer.require_alpn(LEG_ALPN)
        async with asyncio.timeout(self._settings.setup_s):
            await outer.send(FROM_RELAY.frame(Challenge(nonce, self._settings.relay)))
            message = TO_RELAY.decode(await outer.receive())
        try:
            if isinstance(message, GatewayLeg):
                self._relay.gateway_leg(outer, message)
            elif isinstance(message, SpareLeg):
                self._relay.spare_leg(outer, message, nonce)
            elif isinstance(message, ConnectorLeg):
                release()  # proven or turned away within the relay's own limits
                await self._relay.connector_leg(outer, message, nonce)
            else:
                raise BadFrame(f"{type(message).__name__} as first frame of a leg")
        except Turned as error:
            with contextlib.suppress(OSError, PortineriaError):
                await outer.send(FROM_RELAY.frame(Refused(error.code)))
            raise

    async def _console(self, sock: socket.socket, peer: str) -> None:
        if self._settings.console is None:
            raise BadClientHello("no console behind this port")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as way:
            way.setblocking(False)
            async with asyncio.timeout(self._settings.setup_s):
                await asyncio.get_running_loop().sock_connect(way, str(self._settings.console))
            socket.send_fds(way, [peer.encode()], [sock.fileno()])
        sock.close()


def _nothing() -> None:
    pass


async def peek_alpn(sock: socket.socket) -> tuple[str, ...]:
    """The protocols the other side offers, without taking a byte. () for what is not TLS."""
    loop = asyncio.get_running_loop()
    want = 1
    try:
        while True:
            await _readable(loop, sock, want)
            # One byte first: what is not TLS may hold a password in clear, and that must not enter this process.
            peeked = sock.recv(1 if want == 1 else HELLO_BYTES, socket.MSG_PEEK)
            if not peeked:
                raise ConnectionError("closed before a word")
            if not is_tls(peeked):
                return ()
            names = alpn_names(peeked)
            if names is not None:
                return names
            if len(peeked) < want:
                raise ConnectionError("closed in the middle of its ClientHello")
            want = len(peeked) + 1
    finally:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


async def _readable(loop: asyncio.AbstractEventLoop, sock: socket.socket, count: int) -> None:
    """Until ``count`` bytes wait, or the end: the low-water mark spares a busy loop over bytes that stay unread."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
    ready = asyncio.Event()
    loop.add_reader(sock.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock.fileno())
