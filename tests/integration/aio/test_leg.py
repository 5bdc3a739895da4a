# SPDX-License-Identifier: Apache-2.0
"""How a gateway and a connector come to a relay: what is said when, and how a dead path is noticed."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.leg import Way, dial_back, reach
from portineria.dataplane.aio.outer import LEG_IDLE_S, LINK_IDLE_S, Outer
from portineria.dataplane.aio.tls import relay_context
from portineria.wire.leg import FROM_RELAY, LEG_ALPN, LINK_ALPN, TO_RELAY, Challenge, GatewayLeg, Go
from portineria.wire.statement import RelayAddress
from tests.integration.credentials import PEM, Credentials

pytestmark = pytest.mark.asyncio
Serve = Callable[[Outer], Awaitable[None]]


@contextlib.asynccontextmanager
async def relay(folder: Path, serve: Serve) -> AsyncIterator[tuple[RelayAddress, Way]]:
    """A relay's outer end for one connection; ``serve`` goes on after the handshake."""
    credentials, key, name = Credentials(), ec.generate_private_key(ec.SECP256R1()), new_id(Kind.RELAY)
    certificate = credentials.issue("relay", name, key.public_key(), hosts=("127.0.0.1",))
    (folder / "pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key").write_bytes(key.private_bytes(*PEM))
    context = relay_context(folder / "pem", folder / "key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        async def once() -> None:
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            with sock:
                outer = Outer(sock, context, server_side=True)
                await outer.handshake()
                await serve(outer)

        serving = asyncio.ensure_future(once())
        try:
            address = RelayAddress(name, "127.0.0.1", listener.getsockname()[1])
            yield address, Way(credentials.issuers["relay"], lambda _: None)
            await serving
        finally:
            serving.cancel()


async def test_a_gateway_shows_its_nonce_before_it_heard_the_challenge(tmp_path: Path) -> None:
    nonce, heard = secrets.token_bytes(32), []

    async def serve(outer: Outer) -> None:
        heard.append(TO_RELAY.decode(await outer.receive()))  # a round trip is lost if it waits for us
        await outer.send(FROM_RELAY.frame(Challenge(bytes(32), address.relay)))
        await outer.send(FROM_RELAY.frame(Go(nested=False)))
        await outer.take_off_as_relay()

    async with asyncio.timeout(10), relay(tmp_path, serve) as (address, way):
        ready = await dial_back(address, way, nonce)
        assert heard == [GatewayLeg(nonce, nested=False)]
        assert not ready.layers
        ready.sock.close()


@pytest.mark.parametrize(("alpn", "idle_s"), [(LINK_ALPN, LINK_IDLE_S), (LEG_ALPN, LEG_IDLE_S)])
async def test_a_link_is_probed_more_seldom_than_a_leg(tmp_path: Path, alpn: str, idle_s: int) -> None:
    async def serve(outer: Outer) -> None:
        await outer.send(FROM_RELAY.frame(Challenge(bytes(32), address.relay)))

    async with asyncio.timeout(10), relay(tmp_path, serve) as (address, way):
        outer, _, _ = await reach(address, way, alpn)
        assert outer.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert outer.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == idle_s
        outer.abort()
