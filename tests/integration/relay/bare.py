# SPDX-License-Identifier: Apache-2.0
"""Ends reduced to what a relay sees of them: links and legs. What they carry is whatever bytes the test likes."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.leg import ReadyLeg, Way, dial_leg, reach
from portineria.dataplane.aio.outer import Outer, abort_socket
from portineria.wire import certificate as certificates
from portineria.wire.enrolment import EnrolmentRequest
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
    Refused,
    ToRelay,
    Welcome,
    prove,
)
from tests.integration.authority import Authority
from tests.integration.credentials import raw

_PIECE = 1 << 16


@contextlib.asynccontextmanager
async def running(directory: Path, **settings: object) -> AsyncIterator[Authority]:
    """A control plane and one relay process with these settings."""
    authority = Authority(directory)
    try:
        yield await authority.start(**settings)  # type: ignore[arg-type]
    finally:
        await authority.close()


def way(authority: Authority, *, nested: bool = False) -> Way:
    return Way(authority.issuers["relay"], lambda _: None, nested=nested)


class RawLeg:
    """A joined leg: bytes to and from the other end, where the end-to-end session would be."""

    def __init__(self, ready: ReadyLeg) -> None:
        self.sock = ready.sock
        self._layer = ready.layers[0] if ready.layers else None
        self._early = ready.early

    @property
    def nested(self) -> bool:
        return self._layer is not None

    async def send(self, data: bytes) -> None:
        for at in range(0, len(data), _PIECE):
            piece = data[at : at + _PIECE]
            if self._layer is not None:
                self._layer.write(piece)
                piece = self._layer.take_outgoing()
            await asyncio.get_running_loop().sock_sendall(self.sock, piece)

    async def end(self) -> None:
        """Half-close: nothing more comes from here."""
        if self._layer is not None:
            self._layer.unwrap()
            await asyncio.get_running_loop().sock_sendall(self.sock, self._layer.take_outgoing())
        self.sock.shutdown(socket.SHUT_WR)

    async def receive(self) -> bytes:
        """What has come, b"" at the end."""
        if self._early:
            early, self._early = self._early, b""
            return early
        while True:
            if self._layer is not None:
                if pieces := self._layer.read():
                    return b"".join(pieces)
                if self._layer.peer_closed:
                    return b""
            data = await asyncio.get_running_loop().sock_recv(self.sock, _PIECE)
            if self._layer is None or not data:
                return data
            self._layer.feed(data)

    async def receive_all(self) -> bytes:
        parts = []
        while part := await self.receive():
            parts.append(part)
        return b"".join(parts)

    async def exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            part = await self.receive()
            assert part, f"ended after {len(got)} of {count} bytes"
            got += part
        return got

    async def gone(self, within_s: float = 5) -> None:
        """Returns when the relay ended this leg, by whatever means."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(within_s):
                while await self.receive():
                    pass

    def close(self) -> None:
        self.sock.close()

    def abort(self) -> None:
        abort_socket(self.sock)


class BareLink:
    """``hear`` returns the relay's next message; it raises ConnectionError when the relay hung up."""

    def __init__(self, outer: Outer, challenge: Challenge) -> None:
        self.outer, self.challenge = outer, challenge

    async def say(self, message: ToRelay) -> None:
        await self.outer.send(TO_RELAY.frame(message))

    async def raw(self, data: bytes) -> None:
        await self.outer.send(data)

    async def hear(self, within_s: float = 5) -> FromRelay:
        async with asyncio.timeout(within_s):
            return FROM_RELAY.decode(await self.outer.receive())

    async def refused(self, within_s: float = 5) -> str:
        """The code with which the relay hung up."""
        while not isinstance(message := await self.hear(within_s), Refused):
            pass
        await self.ended()
        return message.code

    async def ended(self, within_s: float = 5) -> None:
        """Returns when the relay hung up."""
        try:
            while True:
                await self.hear(within_s)
        except (ConnectionError, ssl.SSLError):
            return

    def close(self) -> None:
        self.outer.abort()


class BareGateway:
    """A gateway's identity and its links. ``legs`` fills up while ``serve`` runs."""

    def __init__(self, authority: Authority) -> None:
        self.authority, self.id = authority, new_id(Kind.GATEWAY)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.sealing_key = X25519PrivateKey.generate()
        tls_key = certificates.spki(self.key.public_key())
        keys = (tls_key, raw(Ed25519PrivateKey.generate()), raw(self.sealing_key))
        authority.know(self.id, EnrolmentRequest(*keys, name="bare", version="0"))
        self.certificate = authority.gateway_certificate(self.id)
        self.legs: asyncio.Queue[RawLeg] = asyncio.Queue()
        self.made: list[RawLeg] = []  # of both sides: whatever a test leaves open is closed with the gateway
        self._serving: list[asyncio.Task[None]] = []
        self._links: list[BareLink] = []

    def proof(self, challenge: Challenge) -> GatewayProof:
        return GatewayProof(self.certificate, prove(self.key, challenge, "link"))

    async def reach(self) -> BareLink:
        """Connected, nothing said yet."""
        outer, challenge, _ = await reach(self.authority.relay.address, way(self.authority), LINK_ALPN)
        link = BareLink(outer, challenge)
        self._links.append(link)
        return link

    async def link(self) -> BareLink:
        """Proven and welcomed."""
        link = await self.reach()
        await link.say(self.proof(link.challenge))
        welcome = await link.hear()
        assert isinstance(welcome, Welcome), welcome
        await self.authority.linked(self.id)
        return link

    async def leg(self, dial: bytes, *, nested: bool = False) -> RawLeg:
        """Answer a dial request."""
        asked = way(self.authority, nested=nested)
        ready = await dial_leg(self.authority.relay.address, asked, lambda _, stay: GatewayLeg(dial, stay))
        self.made.append(RawLeg(ready))
        return self.made[-1]

    async def serve(self, *, nested: bool = False) -> BareLink:
        """A link whose every dial request is answered with a leg."""
        link = await self.link()
        loop = asyncio.get_running_loop()

        async def come(dial: bytes) -> None:
            with contextlib.suppress(ConnectionError, TimeoutError):  # the connector left meanwhile
                await self.legs.put(await self.leg(dial, nested=nested))

        async def answer() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    message = FROM_RELAY.decode(await link.outer.receive())
                    if isinstance(message, Dial):
                        self._serving.append(loop.create_task(come(message.nonce)))

        self._serving.append(loop.create_task(answer()))
        return link

    async def close(self) -> None:
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for link in self._links:
            link.close()
        for leg in self.made:
            leg.close()


class BareConnector:
    """A session's key and ticket."""

    def __init__(self, gateway: BareGateway) -> None:
        self.gateway, self.authority = gateway, gateway.authority
        self.session = new_id(Kind.SESSION)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.spki = certificates.spki(self.key.public_key())

    def ticket(self, **fields: object) -> bytes:
        relay = str(fields.pop("relay", self.authority.relay.address.relay))
        digest = certificates.spki_sha256(self.key.public_key())
        return self.authority.ticket(relay, self.gateway.id, self.session, digest, **fields)

    async def leg(
        self, *, nested: bool = False, ticket: bytes | None = None, signer: ec.EllipticCurvePrivateKey | None = None,
    ) -> RawLeg:  # fmt: skip
        """Joined with a leg of the gateway. Raises LegRefused, ConnectionError."""
        given = self.ticket() if ticket is None else ticket

        def introduce(challenge: Challenge, stay: bool) -> ConnectorLeg:
            return ConnectorLeg(given, self.spki, prove(signer or self.key, challenge, "leg"), stay)

        ready = await dial_leg(self.authority.relay.address, way(self.authority, nested=nested), introduce)
        self.gateway.made.append(RawLeg(ready))
        return self.gateway.made[-1]

    async def pair(self, *, nested: bool = False) -> tuple[RawLeg, RawLeg]:
        """(connector's leg, gateway's leg), joined; the gateway must serve."""
        mine = await self.leg(nested=nested)
        async with asyncio.timeout(10):
            return mine, await self.gateway.legs.get()
