# SPDX-License-Identifier: Apache-2.0
"""Two installations' certificates, TCP pairs, and a local socket whose appetite the test decides."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from portineria.dataplane.aio.channel import Channel
from portineria.dataplane.aio.tls import Pieces, TlsLayer, inner_context
from portineria.wire.certificate import ISSUERS, issue, make_issuer, make_root

WAIT_S = 10.0


async def eventually(condition: Callable[[], object], what: str, *, within_s: float = WAIT_S) -> None:
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.005)


class Installation:
    """A root, its four issuers, and leaves written where a context reads them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._count = 0
        self.at = datetime.now(UTC)
        root_key = ec.generate_private_key(ec.SECP256R1())
        self.root = make_root(root_key, "ins_test", self.at)
        self._keys = {kind: ec.generate_private_key(ec.SECP256R1()) for kind in ISSUERS}
        self.issuers = {
            kind: make_issuer(kind, key.public_key(), root_key=root_key, root=self.root, at=self.at)
            for kind, key in self._keys.items()
        }

    def files(self, kind: str, *, name: str = "x_a", at: datetime | None = None) -> tuple[Path, Path]:
        """(chain, key) of a new leaf; the chain goes up to the root, as generous as a peer can be."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = issue(
            kind, name, key.public_key(), issuer_key=self._keys[kind], issuer=self.issuers[kind], at=at or self.at,
            life=timedelta(hours=2),
        )  # fmt: skip
        self._count += 1
        chain, private = self._folder / f"{self._count}.crt", self._folder / f"{self._count}.pem"
        chain.write_bytes(b"".join(part.public_bytes(Encoding.PEM) for part in (leaf, self.issuers[kind], self.root)))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return chain, private

    def context(
        self, kind: str, *, server_side: bool, trusts: x509.Certificate | None = None, at: datetime | None = None
    ) -> ssl.SSLContext:
        """An end-to-end context of an end that holds a leaf of ``kind`` and trusts the other side's proper issuer."""
        chain, key = self.files(kind, at=at)
        issuer = trusts or self.issuers["session" if server_side else "gateway"]
        return inner_context(server_side=server_side, chain=chain, key=key, issuer=issuer)


@contextlib.contextmanager
def tcp_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    for sock in (near, far):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with near, far:
        yield near, far


def transport_of(channel: Channel) -> asyncio.Transport:
    assert channel._transport is not None
    return channel._transport


def stop_reading(channel: Channel) -> None:
    """What a hostile end or a black hole does: the connection stays, and nothing is taken off it."""
    transport_of(channel).pause_reading()


class Heard:
    """What a channel said to its owner."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.data = bytearray()
        self.lost: list[Exception | None] = []
        channel.begin(self._on_data, self.lost.append)

    def _on_data(self, pieces: Pieces) -> None:
        for piece in pieces:
            self.data += piece


OPEN: list[Channel] = []  # of the present test; its fixture closes them before their event loop ends


def new_channel(*layers: TlsLayer) -> Channel:
    OPEN.append(Channel(list(layers)))
    return OPEN[-1]


async def channels(
    installation: Installation,
    near: socket.socket,
    far: socket.socket,
    *,
    outer: tuple[TlsLayer, TlsLayer] | None = None,
) -> tuple[Channel, Channel]:
    """The connector's and the gateway's end of one leg, shaken hands."""
    connector, gateway = (new_channel(layer) for layer in outer) if outer else (new_channel(), new_channel())
    await asyncio.gather(
        connector.start(near, installation.context("session", server_side=False), server_side=False),
        gateway.start(far, installation.context("gateway", server_side=True), server_side=True),
    )
    return connector, gateway


class Appetite:
    """A local socket (aio.stream_end.Local) in memory: ``take`` says how much of what is written the kernel took."""

    def __init__(self, *, hungry: bool = True) -> None:
        self.hungry = hungry
        self.taken = bytearray()
        self._waiting = bytearray()
        self.reading = True
        self.ended = self.closed = self.aborted = False

    @property
    def unsent(self) -> int:
        return len(self._waiting)

    def write(self, pieces: list[memoryview]) -> None:
        assert not any((self.closed, self.aborted, self.ended)), "written to after its end"
        for piece in pieces:
            self._waiting += piece
        if self.hungry:
            self.take()

    def take(self, count: int | None = None) -> None:
        count = len(self._waiting) if count is None else count
        self.taken += self._waiting[:count]
        del self._waiting[:count]

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True
        self._waiting.clear()
