# SPDX-License-Identifier: Apache-2.0
"""Answers dial requests: dials back, does the end-to-end handshake, and hands the leg to the session of its key."""

import asyncio
import random
import ssl
from collections.abc import Callable

import structlog
from cryptography import x509

from portineria.core.errors import PortineriaError, ProtocolError
from portineria.dataplane.aio.channel import Channel
from portineria.dataplane.aio.leg import ReadyLeg, Way, dial_back, spare_leg
from portineria.dataplane.aio.outer import abort_socket
from portineria.dataplane.aio.task import Tasks
from portineria.dataplane.gateway.admission import Admissions
from portineria.dataplane.gateway.link import Link
from portineria.dataplane.gateway.opening import LegGone, Opening
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.wire.certificate import Identity, check_leaf
from portineria.wire.leg import END_TO_END_ALPN, DialFailed, Prove
from portineria.wire.statement import RelayAddress

log = structlog.get_logger()
_LONGEST_PAUSE_S = 600.0  # of a relay that takes none


class Legs:
    def __init__(
        self, settings: GatewaySettings, admissions: Admissions, way: Callable[[], Way],
        inner: Callable[[], ssl.SSLContext], session_issuer: x509.Certificate,
        prove: Prove,
    ) -> None:  # fmt: skip
        self._settings, self._admissions, self._way = settings, admissions, way
        self._inner, self._session_issuer, self._prove = inner, session_issuer, prove
        self._tasks = Tasks()
        self._setups = 0

    def dial(self, link: Link, nonce: bytes) -> None:
        if self._setups >= self._settings.leg_setups:
            link.send(DialFailed(nonce, "gateway.busy"))
            return
        self._setups += 1
        self._tasks.spawn(self._dialled(link, nonce), "leg")

    async def keep(self, link: Link) -> None:
        """One leg waits at the relay of this link, where that is worth it: a connector then needs no dial request."""
        which, pause_s = self._settings.spare_legs, self._settings.retry_min_s
        while which == "always" or (which == "far" and link.far):
            try:
                ready = await spare_leg(link.relay, self._way(), self._prove)
            except (PortineriaError, OSError, TimeoutError) as error:  # such as a relay that does not know them yet
                log.info("leg.spare.failed", relay=link.relay.relay, why=f"{type(error).__name__}: {error}")
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311 - spreads load, guards nothing
                continue
            pause_s = self._settings.retry_min_s
            if self._setups >= self._settings.leg_setups:  # the connector gets another one, which is dialled for it
                abort_socket(ready.sock)
                await asyncio.sleep(pause_s)
                continue
            self._setups += 1
            self._tasks.spawn(self._leg(link, ready), "spare leg")

    async def close(self) -> None:
        await self._tasks.close()

    async def _dialled(self, link: Link, nonce: bytes) -> None:
        """Dial back. A failure is told to the relay, so that the other end need not wait."""
        try:
            ready = await self._dial_back(link.relay, nonce)
        except (PortineriaError, OSError, TimeoutError) as error:
            self._setups -= 1
            code = error.code if isinstance(error, PortineriaError) else "leg.unreachable"
            log.warning("leg.dial.failed", relay=link.relay.relay, why=f"{type(error).__name__}: {error}")
            link.send(DialFailed(nonce, code[:64]))
            return
        except BaseException:
            self._setups -= 1
            raise
        await self._leg(link, ready)

    async def _leg(self, link: Link, ready: ReadyLeg) -> None:
        try:
            opening = await self._shake_hands(link, ready)
        finally:
            self._setups -= 1
        if opening is None:
            return
        channel, identity = opening
        try:
            await self._serve(Opening(channel, link.relay.relay), identity)
        except (LegGone, ProtocolError, TimeoutError) as error:
            log.info("leg.ended", why=f"{type(error).__name__}: {error}")
            channel.abort()
        except BaseException:
            channel.abort()
            raise

    async def _shake_hands(self, link: Link, ready: ReadyLeg) -> tuple[Channel, Identity] | None:
        channel = Channel(ready.layers)
        try:
            layer = await channel.start(ready.sock, self._inner(), server_side=True, early=ready.early)
            layer.require_alpn(END_TO_END_ALPN)
            identity = check_leaf(layer.peer_certificate(), kind="session", issuer=self._session_issuer)
        except (PortineriaError, OSError, TimeoutError) as error:
            log.warning("leg.refused", relay=link.relay.relay, why=f"{type(error).__name__}: {error}")
            channel.abort()
            return None
        except BaseException:
            channel.abort()
            raise
        return channel, identity

    async def _dial_back(self, relay: RelayAddress, nonce: bytes) -> ReadyLeg:
        return await dial_back(relay, self._way(), nonce)

    async def _serve(self, opening: Opening, identity: Identity) -> None:
        """The order is found by the peer's key alone, never by what the relay says (WIRE 8).

        The certificate's own dates are not asked: the order names the very key, and until when it may be served.
        """
        opening.begin()
        admission = await self._admissions.find(identity.spki_sha256)
        if admission is not None:
            await admission.serve(opening)
            return
        async with asyncio.timeout(self._settings.hello_s):
            await opening.hello()
        opening.refuse("order.unknown")
