# SPDX-License-Identifier: Apache-2.0
"""Dialling a leg: reach the relay, say who we are, wait for the other end, take the outer layer off or keep it."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509

from portineria.core.errors import Unavailable
from portineria.dataplane.aio.dial import dial
from portineria.dataplane.aio.outer import LEG_IDLE_S, LINK_IDLE_S, SPARE_IDLE_S, Outer, is_far, keep_alive
from portineria.dataplane.aio.tls import BadTls, TlsLayer, outer_context, reached_relay
from portineria.wire.frame import BadFrame
from portineria.wire.http_connect import Proxy
from portineria.wire.leg import (
    FROM_RELAY,
    LEG_ALPN,
    Challenge,
    GatewayLeg,
    Go,
    Prove,
    Refused,
    SpareLeg,
    ToRelay,
    first_frame,
)
from portineria.wire.statement import RelayAddress

SETUP_S = 5.0  # reach, handshake and first frames; the dialling of TCP has its own ten seconds
PAIRING_S = 15.0  # the relay gives the other end ten


class LegRefused(Unavailable):
    """The relay's answer; ``code`` is its reason, e.g. gateway.away, ticket.expired, session.ended."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the relay answered {code}")
        self.code = code


class PathOpened(BadTls):
    code = "leg.opened"


@dataclass(frozen=True, slots=True)
class Way:
    """How this end gets to its relays."""

    relay_issuer: x509.Certificate
    proxy_of: Callable[[str], Proxy | None]
    allow_opened: bool = False  # whether a path that a proxy decrypts (outer layer only) may be used
    nested: bool = False
    unix_ms: Callable[[], int | None] = lambda: None  # the time that this end believes, None while it knows none


@dataclass(frozen=True, slots=True)
class ReadyLeg:
    """A connection on which the end-to-end session may start."""

    sock: socket.socket
    layers: list[TlsLayer]
    early: bytes
    opened_by: str | None  # who decrypts the outer layer, None when nobody does


async def reach(
    relay: RelayAddress, way: Way, alpn: str, *, patience_s: float = SETUP_S,
    unasked: Callable[[bool], ToRelay] | None = None,
) -> tuple[Outer, Challenge, str | None]:  # fmt: skip
    """Connect to the relay and read its challenge; raise PathOpened when somebody else answers and that is not allowed.

    ``unasked`` makes, from whether to stay nested, a first frame that needs no challenge: a round trip less.

    Whoever opens the outer layer can delay and drop, nothing else; but the owner decides whether that is borne.
    """
    sock = await dial(relay.host, relay.port, way.proxy_of(relay.host))
    try:
        keep_alive(sock, LEG_IDLE_S if alpn == LEG_ALPN else LINK_IDLE_S)
        outer = Outer(sock, outer_context(alpn), server_side=False, name=server_name(relay.host))
        async with asyncio.timeout(patience_s):
            await outer.handshake()
            reached = reached_relay(outer.layer.peer_certificate(), issuer=way.relay_issuer)
            opened_by = reached if isinstance(reached, str) else None
            if opened_by is not None and not way.allow_opened:
                raise PathOpened(f"the path to the relay is opened by {opened_by}")
            if not isinstance(reached, str):
                if reached.id != relay.relay:
                    raise BadTls(f"reached {reached.id}, expected {relay.relay}")
                reached.check_date(way.unix_ms())
            outer.layer.require_alpn(alpn)
            if unasked is not None:
                await outer.send(first_frame(unasked(_stays_nested(outer, way, opened_by))))
            message = FROM_RELAY.decode(await outer.receive())
        if not isinstance(message, Challenge) or message.relay != relay.relay:
            raise BadFrame("the relay does not begin with its challenge")
    except BaseException:
        sock.close()
        raise
    return outer, message, opened_by


def server_name(host: str) -> str:
    """What the outer layer says of whom it wants (RFC 6066, 3): a name; nothing for an address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return ""


def _stays_nested(outer: Outer, way: Way, opened_by: str | None) -> bool:
    """Also where it is far: taking the layer off costs a round trip, and copying little on such a line."""
    return way.nested or opened_by is not None or is_far(outer.sock)


async def dial_leg(relay: RelayAddress, way: Way, introduce: Callable[[Challenge, bool], ToRelay]) -> ReadyLeg:
    """One leg, paired. ``introduce`` makes the first frame from the challenge and whether to stay nested.

    Raises LegRefused, ProtocolError, ProxyRefused, OSError, TimeoutError.
    """
    outer, challenge, opened_by = await reach(relay, way, LEG_ALPN)
    try:
        await outer.send(first_frame(introduce(challenge, _stays_nested(outer, way, opened_by))))
    except BaseException:
        outer.abort()
        raise
    return await _paired(outer, way, opened_by)


async def dial_back(relay: RelayAddress, way: Way, nonce: bytes) -> ReadyLeg:
    """A gateway's leg, paired. It shows the nonce of the dial request, which is no answer to a challenge: it goes with
    the end of the handshake. Raises as ``dial_leg`` does.
    """
    outer, _, opened_by = await reach(relay, way, LEG_ALPN, unasked=lambda nested: GatewayLeg(nonce, nested))
    return await _paired(outer, way, opened_by)


async def spare_leg(relay: RelayAddress, way: Way, prove: Prove) -> ReadyLeg:
    """A gateway's leg that waits at the relay before anybody asks for one; it returns when a connector has come.

    Raises as ``dial_leg`` does, but for TimeoutError only until it waits.
    """
    outer, challenge, opened_by = await reach(relay, way, LEG_ALPN)
    try:
        keep_alive(outer.sock, SPARE_IDLE_S)
        await outer.send(first_frame(SpareLeg(*prove(challenge, "spare"))))
    except BaseException:
        outer.abort()
        raise
    return await _paired(outer, way, opened_by, patience_s=None)


async def _paired(outer: Outer, way: Way, opened_by: str | None, patience_s: float | None = PAIRING_S) -> ReadyLeg:
    """Wait for the relay's word, then take the outer layer off, or keep it."""
    try:
        nested = _stays_nested(outer, way, opened_by)
        async with asyncio.timeout(patience_s):
            answer = FROM_RELAY.decode(await outer.receive())
        if isinstance(answer, Refused):
            raise LegRefused(answer.code)
        if not isinstance(answer, Go):
            raise BadFrame(f"{type(answer).__name__} instead of Go")
        if answer.nested or nested:
            return ReadyLeg(outer.sock, [outer.layer], outer.take_early(), opened_by)
        await outer.take_off_as_end()
    except BaseException:
        outer.abort()
        raise
    return ReadyLeg(outer.sock, [], b"", opened_by)
