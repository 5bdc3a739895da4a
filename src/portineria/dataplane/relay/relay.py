# SPDX-License-Identifier: Apache-2.0
"""The meeting place: which gateways have a link here, which legs wait for one, which pairs run.

Decides nothing about permission: a ticket of the control plane's signer lets a session key ask for legs to one
gateway; what may be opened through them is settled end to end, where the relay cannot look.
"""

import asyncio
import secrets
import time
from collections import Counter
from dataclasses import dataclass

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from portineria.bus import message as bus
from portineria.bus.choice import relay_end
from portineria.core.errors import ProtocolError, Unavailable
from portineria.dataplane.aio.outer import Outer
from portineria.dataplane.relay.carried import Carried
from portineria.dataplane.relay.link import Link, proven_gateway
from portineria.dataplane.relay.pair import LegPair
from portineria.dataplane.relay.pump import PipePool
from portineria.dataplane.relay.settings import RelaySettings
from portineria.dataplane.relay.spare import Spares
from portineria.wire.certificate import BadCertificate, Identity, load_spki
from portineria.wire.leg import ConnectorLeg, GatewayLeg, Letters, SpareLeg, check_proof
from portineria.wire.statement import Admitted, Ticket, open_admitted, open_ticket, sha256

log = structlog.get_logger()
ADMITTED_LIFE_MS = 24 * 3600 * 1000  # WIRE 4: an older list admits nobody new
# WIRE 11: a ticket lives at most five minutes, counted by a clock that may be a minute ahead of ours. After that
# nothing has to be remembered of a session whose legs were closed.
TICKET_S = 300 + 60
_LETTERS_AT_ONCE = 64


class Turned(Unavailable):
    """The relay does not serve this leg now; ``code`` is what the other side is told."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class _Waiting:
    """A connector's leg for which the gateway was asked to dial. ``refused``: why it must not be joined any more."""

    session: str
    gateway: str
    leg: "asyncio.Future[tuple[Outer, bool]]"
    refused: str = ""

    def refuse(self, code: str) -> None:
        self.refused = code
        if not self.leg.done():
            self.leg.set_exception(Turned(code))

    def abandon(self) -> None:
        """Nobody takes the gateway's leg, should it have come in this very moment."""
        if self.leg.done() and not self.leg.cancelled() and self.leg.exception() is None:
            self.leg.result()[0].abort()


def _proven_ticket(leg: ConnectorLeg, nonce: bytes, signer: Ed25519PublicKey, relay: str) -> Ticket:
    """For this relay, of the key that signed the nonce, and still valid."""
    ticket = open_ticket(leg.ticket, signer)
    key = load_spki(leg.key)
    if ticket.relay != relay or sha256(leg.key) != ticket.session_spki_sha256:
        raise Turned("ticket.elsewhere")
    if not isinstance(key, EllipticCurvePublicKey):
        raise BadCertificate("a session proves itself with a P-256 key")
    check_proof(key, leg.signature, nonce=nonce, relay=relay, purpose="leg")
    left_ms = ticket.not_after_ms - time.time() * 1000
    if not 0 < left_ms <= TICKET_S * 1000:
        raise Turned("ticket.expired" if left_ms <= 0 else "ticket.too-long")
    return ticket


class Relay:
    def __init__(self, settings: RelaySettings) -> None:
        self.settings = settings
        self.gateway_issuer = x509.load_der_x509_certificate(settings.gateway_issuer.read_bytes())
        self._ticket_key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(settings.ticket_key))
        self._links: dict[str, Link] = {}
        self._admitted: Admitted | None = None
        self._keys: dict[str, bytes] = {}
        self._waiting: dict[bytes, _Waiting] = {}
        self._waiting_per_gateway: Counter[str] = Counter()
        self._pairs: dict[LegPair, asyncio.Task[object] | None] = {}
        self._legs_of: Counter[str] = Counter()
        self._spares = Spares()
        self._barred: dict[str, float] = {}
        self._pool = PipePool(settings.pipes)
        self.carried = Carried()
        self.bus = relay_end(settings.bus, settings.bus_seed, settings.bus_ca, self.from_control, self._greeting)

    # -- the control plane's word ----------------------------------------------------------------------------

    def _greeting(self) -> bus.RelayUp:
        return bus.RelayUp(self.settings.relay, list(self._links))

    def from_control(self, message: bus.ToRelay) -> None:
        if isinstance(message, bus.Deliver):
            if link := self._links.get(message.gateway):
                for start in range(0, len(message.sealed), _LETTERS_AT_ONCE):
                    link.send(Letters(message.sealed[start : start + _LETTERS_AT_ONCE]))
        elif isinstance(message, bus.CloseLegs):
            self._close_legs(message.session)
        elif isinstance(message, bus.DropGateway):
            self._drop(message.gateway)
        else:
            self._set_admitted(message.signed)

    def _set_admitted(self, signed: bytes) -> None:
        try:
            admitted = open_admitted(signed, self._ticket_key)
        except ProtocolError as error:
            log.warning("relay.admitted.refused", code=error.code, why=str(error))
            return
        if self._admitted is not None and admitted.number < self._admitted.number:
            return
        self._admitted = admitted
        self._keys = {entry.gateway: entry.spki_sha256 for entry in admitted.gateways}
        here = {name: link.identity.spki_sha256 for name, link in self._links.items() if link.identity is not None}
        gone = {name for name, key in here.items() if self._keys.get(name) != key}
        gone |= {pair.gateway_id for pair in self._pairs if pair.gateway_id not in self._keys}
        for gateway in gone:
            self._drop(gateway)

    def _drop(self, gateway: str) -> None:
        """Revoked: its link and its legs, also those of links it lost before."""
        if link := self._links.get(gateway):
            link.refuse("link.revoked")
        for waiting in self._waiting.values():
            if waiting.gateway == gateway:
                waiting.refuse("gateway.away")
        self._cut([pair for pair in self._pairs if pair.gateway_id == gateway])

    def _close_legs(self, session: str) -> None:
        now = time.monotonic()
        self._barred = {key: until for key, until in self._barred.items() if until > now}
        self._barred[session] = now + TICKET_S
        for waiting in self._waiting.values():
            if waiting.session == session:
                waiting.refuse("session.ended")
        self._cut([pair for pair in self._pairs if pair.session == session])

    def _cut(self, pairs: list[LegPair]) -> None:
        """Their tasks reset both sockets, after the event loop let go of them: a number may be used again at once."""
        for pair in pairs:
            if task := self._pairs[pair]:
                task.cancel()

    # -- links -----------------------------------------------------------------------------------------------

    def admits(self, identity: Identity) -> bool:
        known = self._admitted is not None and self._admitted.at_ms + ADMITTED_LIFE_MS > time.time() * 1000
        full = len(self._links) >= self.settings.links and identity.id not in self._links
        return known and not full and self._keys.get(identity.id) == identity.spki_sha256

    def link_up(self, link: Link) -> None:
        assert link.identity is not None  # noqa: S101 - a link is announced after its proof
        previous = self._links.get(link.identity.id)
        self._links[link.identity.id] = link
        if previous is not None:
            self._spares.drop(link.identity.id)
            previous.refuse("link.replaced")
        log.info("link.opened", gateway=link.identity.id, peer=link.peer)
        up = bus.LinkUp(self.settings.relay, link.identity.id, link.identity.spki_sha256, link.peer)
        self.bus.publish(up)

    def link_down(self, link: Link) -> None:
        assert link.identity is not None  # noqa: S101
        if self._links.get(link.identity.id) is link:
            del self._links[link.identity.id]
            self._spares.drop(link.identity.id)
            log.info("link.closed", gateway=link.identity.id)
            self.bus.publish(bus.LinkDown(self.settings.relay, link.identity.id))

    def from_gateway(self, gateway: str, sealed: list[bytes]) -> None:
        # Not delivered now means not acknowledged, so the gateway says it again.
        self.bus.publish(bus.FromGateway(self.settings.relay, gateway, sealed))

    # -- legs ------------------------------------------------------------------------------------------------

    async def connector_leg(self, outer: Outer, leg: ConnectorLeg, nonce: bytes) -> None:
        ticket = _proven_ticket(leg, nonce, self._ticket_key, self.settings.relay)
        if self._barred.get(ticket.session, 0) > time.monotonic():
            raise Turned("session.ended")
        link = self._links.get(ticket.gateway)
        if link is None:
            raise Turned("gateway.away")
        self._claim(ticket)
        try:
            first = self._legs_of[ticket.session] == 1  # nobody waits for a later one: it is made in reserve
            spare = self._spares.take(ticket.gateway) if first else None
            gateway_leg, wants_nested = (spare, True) if spare else await self._dial(link, ticket)
            nested = leg.nested or wants_nested or self.settings.nested_only
            pair = LegPair(ticket.session, outer, gateway_leg, nested=nested, gateway_id=ticket.gateway)
            await self._run(pair, link)
        finally:
            self._legs_of[ticket.session] -= 1
            if not self._legs_of[ticket.session]:
                del self._legs_of[ticket.session]

    def _claim(self, ticket: Ticket) -> None:
        """Count the leg, or turn it away before anything was dialled for it."""
        if self._legs_of[ticket.session] >= ticket.max_legs:
            raise Turned("session.legs")
        if self._waiting_per_gateway[ticket.gateway] >= self.settings.pairings_per_gateway:
            raise Turned("gateway.busy")
        if self._legs_of.total() >= self.settings.leg_pairs:
            raise Turned("relay.full")
        self._legs_of[ticket.session] += 1

    async def _dial(self, link: Link, ticket: Ticket) -> tuple[Outer, bool]:
        nonce, gateway = secrets.token_bytes(32), ticket.gateway
        future: asyncio.Future[tuple[Outer, bool]] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[nonce] = _Waiting(ticket.session, gateway, future)
        self._waiting_per_gateway[gateway] += 1
        link.dial(nonce)
        try:
            async with asyncio.timeout(self.settings.pairing_s):
                found = await waiting.leg
            if waiting.refused:  # in the moment between its arrival and ours
                raise Turned(waiting.refused)
        except BaseException as error:
            waiting.abandon()
            if isinstance(error, TimeoutError):
                raise Turned("gateway.silent") from None
            raise
        finally:
            del self._waiting[nonce]
            self._waiting_per_gateway[gateway] -= 1
        return found

    def dial_failed(self, gateway: str, nonce: bytes, code: str) -> None:
        waiting = self._waiting.get(nonce)
        if waiting is not None and waiting.gateway == gateway and not waiting.leg.done():
            waiting.leg.set_exception(Turned("gateway.failed"))
            log.info("leg.dial.failed", gateway=gateway, code=code)

    def gateway_leg(self, outer: Outer, leg: GatewayLeg) -> None:
        """The nonce is known to that gateway only, and used once. From here on the pair owns the socket."""
        waiting = self._waiting.get(leg.dial)
        if waiting is None or waiting.leg.done():
            raise Turned("leg.unexpected")
        waiting.leg.set_result((outer, leg.nested))

    def spare_leg(self, outer: Outer, leg: SpareLeg, nonce: bytes) -> None:
        """From here on it is one of the spares, of a gateway that has a link here."""
        identity = proven_gateway(self.gateway_issuer, leg, nonce=nonce, relay=self.settings.relay, purpose="spare")
        if not self.admits(identity) or identity.id not in self._links:
            raise Turned("gateway.away")
        self._spares.add(identity.id, outer)

    async def _run(self, pair: LegPair, link: Link) -> None:
        self._pairs[pair] = asyncio.current_task()
        link.session_began()
        try:
            await self.carried.run(pair, self._pool)
        finally:
            link.session_ended()
            del self._pairs[pair]
            to_gateway, to_connector = pair.moved
            self.bus.publish(bus.LegsClosed(self.settings.relay, pair.session, to_gateway, to_connector))

    @property
    def figures(self) -> dict[str, int]:
        """What is in use now; after all sessions ended all but ``links``, ``spares`` and ``pipes`` must be 0."""
        return {
            "links": len(self._links),
            "waiting": len(self._waiting),
            "legs": self._legs_of.total(),
            "pairs": len(self._pairs),
            "spares": len(self._spares),
            "pipes": self._pool.made,
        }
