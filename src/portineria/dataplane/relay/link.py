# SPDX-License-Identifier: Apache-2.0
"""A gateway's control link, relay side: proof, heartbeat, letters, dial requests."""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from portineria.core.errors import ProtocolError
from portineria.wire.certificate import BadCertificate, Identity, OutOfDate, check_leaf
from portineria.wire.frame import FIRST_FRAME_BYTES, LINK_FRAME_BYTES, BadFrame, FrameDecoder
from portineria.wire.leg import (
    FROM_RELAY,
    TO_RELAY,
    Challenge,
    Dial,
    DialFailed,
    FromRelay,
    GatewayProof,
    Letters,
    Ping,
    Pong,
    Purpose,
    Refused,
    SpareLeg,
    ToRelay,
    Welcome,
    check_proof,
)

if TYPE_CHECKING:
    from portineria.dataplane.relay.relay import Relay

log = structlog.get_logger()
QUEUE_BYTES = 4 << 20  # letters for a gateway that does not read: four frames of the largest size, then it is dropped
_MISSES = 3  # heartbeats without a sign of life


def proven_gateway(
    issuer: x509.Certificate, proof: GatewayProof | SpareLeg, *, nonce: bytes, relay: str, purpose: Purpose
) -> Identity:
    """Whose certificate and key that is. Whether it is admitted is asked apart. Raises ProtocolError."""
    identity = check_leaf(proof.certificate, kind="gateway", issuer=issuer)
    if not isinstance(identity.key, EllipticCurvePublicKey):
        raise BadCertificate("a gateway proves itself with a P-256 key")
    identity.check_date(time.time_ns() // 1_000_000)
    check_proof(identity.key, proof.signature, nonce=nonce, relay=relay, purpose=purpose)
    return identity


class Link(asyncio.Protocol):
    """One per TLS connection with ALPN portineria-link/1."""

    def __init__(self, relay: "Relay", peer: str, release: Callable[[], None]) -> None:
        self._relay = relay
        self.peer = peer
        self._release = release  # gives back the place among connections that are still being set up
        self._decoder = FrameDecoder(limit=FIRST_FRAME_BYTES)
        self._nonce = secrets.token_bytes(32)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_heard = 0.0
        self._over = False  # refused or lost: whatever it still says counts no more
        self.identity: Identity | None = None
        self._sessions = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass
        self._transport.set_write_buffer_limits(high=QUEUE_BYTES)
        self.send(Challenge(self._nonce, self._relay.settings.relay))
        self._arm(self._relay.settings.setup_s, self._too_slow)

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        self._last_heard = asyncio.get_running_loop().time()
        try:
            self._decoder.feed(data)
            while (frame := self._next_frame()) is not None:
                self._message(TO_RELAY.decode(frame))
        except ProtocolError as error:
            log.warning("link.refused", peer=self.peer, code=error.code, why=str(error))
            self.refuse(error.code if isinstance(error, OutOfDate) else "link.refused")

    def _next_frame(self) -> bytes | None:
        return None if self._over else self._decoder.next_frame()

    def _message(self, message: ToRelay) -> None:
        if self.identity is None:
            self._prove(message)
        elif isinstance(message, Letters):
            self._relay.from_gateway(self.identity.id, message.sealed)
        elif isinstance(message, DialFailed):
            self._relay.dial_failed(self.identity.id, message.nonce, message.code)
        elif isinstance(message, Ping):
            self.send(Pong())
        elif not isinstance(message, Pong):
            raise BadFrame(f"{type(message).__name__} on a link")

    def _prove(self, message: ToRelay) -> None:
        if not isinstance(message, GatewayProof):
            raise BadFrame(f"{type(message).__name__} before the proof")
        settings, issuer = self._relay.settings, self._relay.gateway_issuer
        identity = proven_gateway(issuer, message, nonce=self._nonce, relay=settings.relay, purpose="link")
        if not self._relay.admits(identity):
            self.refuse("link.not-admitted")
            return
        self.identity = identity
        self._decoder.limit = LINK_FRAME_BYTES
        self._release()
        self.send(Welcome(settings.idle_heartbeat_s, settings.busy_heartbeat_s))
        self._arm(settings.idle_heartbeat_s, self._check_life)
        self._relay.link_up(self)

    def _arm(self, delay_s: float, act: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, act)

    def _too_slow(self) -> None:
        self.refuse("link.slow")

    def _check_life(self) -> None:
        """Silent for three heartbeats: dead. The gateway is the one that sends Ping (it keeps its NAT open)."""
        settings = self._relay.settings
        beat = settings.busy_heartbeat_s if self._sessions else settings.idle_heartbeat_s
        silent = asyncio.get_running_loop().time() - self._last_heard
        if silent > _MISSES * beat:
            self.abort()
            return
        self._arm(beat, self._check_life)

    def dial(self, nonce: bytes) -> None:
        """Ask for a leg. No sign of life: legs asked for again and again must not keep a dead link."""
        self.send(Dial(nonce))

    def session_began(self) -> None:
        """Its gateway dialled back, so it lives; from now on the quick heartbeat counts."""
        self._sessions += 1
        if self._sessions == 1 and not self._over:
            self._last_heard = asyncio.get_running_loop().time()
            self._arm(self._relay.settings.busy_heartbeat_s, self._check_life)

    def session_ended(self) -> None:
        self._sessions -= 1

    def send(self, message: FromRelay) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > QUEUE_BYTES:
            log.warning("link.stuck", peer=self.peer)
            self.abort()
            return
        self._transport.write(FROM_RELAY.frame(message))

    def refuse(self, code: str) -> None:
        """Say why and hang up. Out of the tables at once: the goodbye may wait for the other side."""
        self.send(Refused(code))
        self._leave()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        self._leave()
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._release()
        if self.identity is not None:
            self._relay.link_down(self)
