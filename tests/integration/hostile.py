# SPDX-License-Identifier: Apache-2.0
"""A stolen relay: it holds a real relay's certificate and key, speaks the protocol, and does what the test wants.

It can delay, drop, repeat, swap and invent. The tests show that nothing else comes of it.
"""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portineria.bus import message as bus
from portineria.bus.local import LocalBusEnd
from portineria.core.errors import PortineriaError
from portineria.dataplane.aio.outer import Outer, abort_socket
from portineria.dataplane.aio.tls import relay_context
from portineria.wire.certificate import load_certificate, read_identity
from portineria.wire.frame import FrameDecoder
from portineria.wire.leg import (
    FROM_RELAY,
    LINK_ALPN,
    TO_RELAY,
    Challenge,
    ConnectorLeg,
    Dial,
    FromRelay,
    GatewayLeg,
    GatewayProof,
    Go,
    Letters,
    Ping,
    Pong,
    ToRelay,
    Welcome,
)


@dataclass
class HostileLink:
    """A gateway that trusts us with its letters."""

    outer: Outer
    gateway: str
    reports: list[bytes] = field(default_factory=list)
    said: list[ToRelay] = field(default_factory=list)

    async def say(self, message: FromRelay) -> None:
        await self.outer.send(FROM_RELAY.frame(message))

    async def deliver(self, *sealed: bytes) -> None:
        await self.say(Letters(list(sealed)))

    async def dial(self) -> bytes:
        nonce = secrets.token_bytes(32)
        await self.say(Dial(nonce))
        return nonce


class HostileRelay:
    """``async with``; ends dial ``address``. ``connectors`` and ``gateway_legs`` fill up; the test joins them.

    With ``path`` (of the control plane's bus) it passes letters and reports on like an honest relay, unless told to
    keep them: ``holds`` (letters to gateways, collected in ``letters`` in any case) and ``swallows`` (their reports).
    """

    def __init__(self, relay: str, certificate: Path, key: Path, *, port: int = 0, path: Path | None = None) -> None:
        self.relay = relay
        self._context = relay_context(certificate, key)
        self._port, self._path = port, path
        self._bus = LocalBusEnd(path or Path(), self._from_control, self._greeting)
        self.links: asyncio.Queue[HostileLink] = asyncio.Queue()
        self._by_gateway: dict[str, HostileLink] = {}
        self.connectors: asyncio.Queue[Outer] = asyncio.Queue()
        self.gateway_legs: dict[bytes, asyncio.Future[Outer]] = {}
        self.holds = self.swallows = False
        self.letters: list[bytes] = []
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: list[socket.socket] = []
        self.seen = bytearray()  # every byte that crossed a joined pair

    @property
    def address(self) -> tuple[str, int]:
        assert self._listener is not None
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    async def __aenter__(self) -> "HostileRelay":
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._listener.setblocking(False)
        self._spawn(self._accept())
        if self._path is not None:
            self._spawn(self._bus.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()
        for sock in self._sockets:
            abort_socket(sock)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- the bus -----------------------------------------------------------------------------------------------

    def _greeting(self) -> bus.RelayUp:
        return bus.RelayUp(self.relay, list(self._by_gateway))

    def tell_control(self, message: bus.ToControl) -> None:
        self._bus.publish(message)

    def link_of(self, gateway: str) -> HostileLink | None:
        return self._by_gateway.get(gateway)

    def _from_control(self, message: bus.ToRelay) -> None:
        if isinstance(message, bus.Deliver):
            self.letters += message.sealed
            if not self.holds:
                self._spawn(self._pass_on(message.gateway, message.sealed))

    async def _pass_on(self, gateway: str, sealed: list[bytes]) -> None:
        with contextlib.suppress(KeyError, OSError):
            await self._by_gateway[gateway].deliver(*sealed)

    # -- what comes in -----------------------------------------------------------------------------------------

    async def _accept(self) -> None:
        assert self._listener is not None
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            self._sockets.append(sock)
            self._spawn(self._serve(sock))

    async def _serve(self, sock: socket.socket) -> None:
        outer = Outer(sock, self._context, server_side=True)
        with contextlib.suppress(OSError, PortineriaError):
            await outer.handshake()
            await outer.send(FROM_RELAY.frame(Challenge(secrets.token_bytes(32), self.relay)))
            message = TO_RELAY.decode(await outer.receive())
            if outer.layer.alpn == LINK_ALPN and isinstance(message, GatewayProof):
                await self._link(outer, message)
            elif isinstance(message, ConnectorLeg):
                await self.connectors.put(outer)
            elif isinstance(message, GatewayLeg):
                self.leg_for(message.dial).set_result(outer)

    def leg_for(self, dial: bytes) -> "asyncio.Future[Outer]":
        return self.gateway_legs.setdefault(dial, asyncio.get_running_loop().create_future())

    async def _link(self, outer: Outer, proof: GatewayProof) -> None:
        identity = read_identity(load_certificate(proof.certificate), kind="gateway")
        link = self._by_gateway[identity.id] = HostileLink(outer, identity.id)
        try:
            await link.say(Welcome(2.0, 1.0))
            self._bus.publish(bus.LinkUp(self.relay, identity.id, identity.spki_sha256, "127.0.0.1:1"))
            await self.links.put(link)
            await self._read(link)
        finally:
            if self._by_gateway.get(identity.id) is link:
                del self._by_gateway[identity.id]
                self._bus.publish(bus.LinkDown(self.relay, identity.id))

    async def _read(self, link: HostileLink) -> None:
        decoder, loop, outer = FrameDecoder(), asyncio.get_running_loop(), link.outer
        decoder.feed(outer.take_early())
        while True:
            for piece in outer.layer.read():
                for frame in decoder.receive(piece):
                    await self._message(link, TO_RELAY.decode(frame))
            data = await loop.sock_recv(outer.sock, 65536)
            if not data:
                return
            outer.layer.feed(data)

    async def _message(self, link: HostileLink, message: ToRelay) -> None:
        link.said.append(message)
        if isinstance(message, Letters):
            link.reports += message.sealed
            if not self.swallows:
                self._bus.publish(bus.FromGateway(self.relay, link.gateway, message.sealed))
        elif isinstance(message, Ping):
            await link.say(Pong())

    # -- legs --------------------------------------------------------------------------------------------------

    async def both_legs(self, link: HostileLink) -> tuple[Outer, Outer]:
        """The next connector's leg, and one of this gateway; nothing was said to either."""
        async with asyncio.timeout(10):
            connector = await self.connectors.get()
            return connector, await self.leg_for(await link.dial())

    async def pair(self, link: HostileLink, *, stop_after: int | None = None, nested: bool = False) -> None:
        """Join the next connector with this gateway, as an honest relay would."""
        connector, gateway = await self.both_legs(link)
        if nested:
            for leg in (connector, gateway):
                await leg.send(FROM_RELAY.frame(Go(True)))
            self.join_nested(connector, gateway)
        else:
            self.join(connector, gateway, await self.go(connector, gateway), stop_after=stop_after)

    def pair_all(self, link: HostileLink) -> None:
        """Be an honest relay for every connector from now on."""

        async def serve() -> None:
            while True:
                with contextlib.suppress(OSError, PortineriaError):
                    await self.pair(link)

        self._spawn(serve())

    async def go(self, *legs: Outer, nested: bool = False) -> list[bytes]:
        """Tell these ends to start and take their outer layers off; return what came behind each goodbye."""
        for leg in legs:
            await leg.send(FROM_RELAY.frame(Go(nested)))
        return [await leg.take_off_as_relay() for leg in legs]

    def join(self, first: Outer, second: Outer, behind: list[bytes], *, stop_after: int | None = None) -> None:
        """Carry ciphertext between two spliced legs, keeping a copy; ``stop_after`` bytes close both ends politely."""
        self._spawn(self._carry(first.sock, second.sock, behind[0], stop_after))
        self._spawn(self._carry(second.sock, first.sock, behind[1], stop_after))

    def join_nested(self, first: Outer, second: Outer) -> None:
        self._spawn(self._carry_nested(first, second))
        self._spawn(self._carry_nested(second, first))

    async def _carry_nested(self, source: Outer, sink: Outer) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, PortineriaError):
            if early := source.take_early():
                await sink.send(early)
            while True:
                for piece in source.layer.read():
                    self.seen += piece
                    await sink.send(piece)
                data = await loop.sock_recv(source.sock, 65536)
                if not data:
                    break
                source.layer.feed(data)
            sink.sock.shutdown(socket.SHUT_WR)

    async def _carry(self, source: socket.socket, sink: socket.socket, first: bytes, stop_after: int | None) -> None:
        loop, carried, data = asyncio.get_running_loop(), 0, first
        with contextlib.suppress(OSError):
            while True:
                if stop_after is not None and carried + len(data) > stop_after:
                    data = data[: stop_after - carried]
                if data:
                    self.seen += data
                    await loop.sock_sendall(sink, data)
                    carried += len(data)
                if stop_after is not None and carried >= stop_after:
                    break
                data = await loop.sock_recv(source, 65536)
                if not data:
                    break
            sink.shutdown(socket.SHUT_WR)
            if stop_after is not None:
                source.shutdown(socket.SHUT_RD)
