# SPDX-License-Identifier: Apache-2.0
"""A tool, a device, and two stream ends between them over real TLS legs. Only the relay is left out."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from portineria.dataplane.aio.channel import Channel
from portineria.dataplane.aio.stream_end import StreamEnd
from portineria.dataplane.aio.tls import inner_context
from portineria.dataplane.connector.tool_side import ToolSide
from portineria.wire.certificate import issue, make_issuer, make_root
from portineria.wire.stream import FrameReader


class Certificates:
    """One root, its issuers, and leaves on demand."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.at = datetime.now(UTC)
        root_key = ec.generate_private_key(ec.SECP256R1())
        self.root = make_root(root_key, "ins_test", self.at)
        self._keys = {kind: ec.generate_private_key(ec.SECP256R1()) for kind in ("gateway", "relay", "session")}
        self.issuers = {
            kind: make_issuer(kind, key.public_key(), root_key=root_key, root=self.root, at=self.at)
            for kind, key in self._keys.items()
        }

    def leaf(self, kind: str, name: str, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        return issue(
            kind, name, key, issuer_key=self._keys[kind], issuer=self.issuers[kind], at=self.at,
            life=timedelta(hours=1),
        )  # fmt: skip

    def files(self, kind: str, name: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        chain, private = self._folder / f"{name}.crt", self._folder / f"{name}.pem"
        chain.write_bytes(self.leaf(kind, name, key.public_key()).public_bytes(Encoding.PEM))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return chain, private


@dataclass
class End:
    """One end: what became of it, and how often its leg was lost."""

    local: ToolSide
    over: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    lost: int = 0
    stream: StreamEnd = field(init=False)

    def begin(self, *, gateway_side: bool) -> None:
        self.stream = StreamEnd(
            self.local, gateway_side=gateway_side, on_over=self.over.set_result, on_leg_lost=self._leg_lost
        )
        self.local.carry(self.stream)

    def _leg_lost(self) -> None:
        self.lost += 1


class WirePair:
    """``tool`` and ``device`` are plain blocking-free sockets for the test; what lies between is ours."""

    def __init__(self, certificates: Certificates) -> None:
        self._contexts = {
            kind: inner_context(
                server_side=kind == "gateway",
                chain=chain,
                key=key,
                issuer=certificates.issuers["session" if kind == "gateway" else "gateway"],
            )
            for kind in ("gateway", "session")
            for chain, key in [certificates.files(kind, f"{kind}-end")]
        }
        self._legs: list[socket.socket] = []
        self.tool: socket.socket
        self.device: socket.socket
        self.connector: End
        self.gateway: End

    async def start(self) -> None:
        self.tool, accepted = await connected_sockets()
        self.device, dialled = await connected_sockets()
        self.connector, self.gateway = End(ToolSide(accepted, _nobody)), End(ToolSide(dialled, _nobody))
        await self.connector.local.start()
        await self.gateway.local.start()
        self.connector.begin(gateway_side=False)
        self.gateway.begin(gateway_side=True)
        await self.new_leg()

    async def new_leg(self) -> None:
        """Join both ends over a fresh connection, as HELLO and OPEN agree on it."""
        near, far = await connected_sockets()
        self._legs = [near, far]
        connector, gateway = Channel([]), Channel([])
        await asyncio.gather(
            connector.start(near, self._contexts["session"], server_side=False),
            gateway.start(far, self._contexts["gateway"], server_side=True),
        )
        received = self.connector.stream.received, self.gateway.stream.received
        self.gateway.stream.attach(gateway, FrameReader(), received[0])
        self.connector.stream.attach(connector, FrameReader(), received[1])

    def lose_leg(self) -> None:
        """As a killed relay does it: a reset on both sides, whatever was under way."""
        for sock in self._legs:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _nobody() -> None:
    pass


async def connected_sockets() -> tuple[socket.socket, socket.socket]:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.socket()
        near.setblocking(False)
        await loop.sock_connect(near, listener.getsockname())
        listener.setblocking(False)
        far, _ = await loop.sock_accept(listener)
    return near, far


@contextlib.asynccontextmanager
async def wire_pair(folder: Path) -> AsyncIterator[WirePair]:
    pair = WirePair(Certificates(folder))
    await pair.start()
    try:
        yield pair
    finally:
        for end in (pair.connector, pair.gateway):
            end.stream.end("test.over")
        pair.tool.close()
        pair.device.close()


async def read_all(sock: socket.socket, limit: int = 1 << 16) -> bytes:
    """Until the end of the stream."""
    loop, got = asyncio.get_running_loop(), bytearray()
    while data := await loop.sock_recv(sock, limit):
        got += data
    return bytes(got)


async def read_exactly(sock: socket.socket, count: int) -> bytes:
    loop, got = asyncio.get_running_loop(), bytearray()
    while len(got) < count:
        data = await loop.sock_recv(sock, count - len(got))
        if not data:
            raise EOFError(f"{len(got)} of {count} bytes")
        got += data
    return bytes(got)
