# SPDX-License-Identifier: Apache-2.0
"""One gateway process: everything it holds, put together."""

import asyncio
import ssl
from collections.abc import Callable
from functools import partial

import structlog
from cryptography import x509

import portineria
from portineria.core.errors import PortineriaError, ProtocolError
from portineria.dataplane.aio.dial import proxy_for
from portineria.dataplane.aio.leg import Way
from portineria.dataplane.aio.task import Tasks
from portineria.dataplane.aio.thread import in_thread
from portineria.dataplane.gateway import freezes, local, register, seen, spool
from portineria.dataplane.gateway.attention import attend
from portineria.dataplane.gateway.clock import TrustedClock, boot_s
from portineria.dataplane.gateway.enrol import ask_certificate, renewal_due
from portineria.dataplane.gateway.glances import Means
from portineria.dataplane.gateway.keeper import Keeper
from portineria.dataplane.gateway.legs import Legs
from portineria.dataplane.gateway.letter import Postbox
from portineria.dataplane.gateway.link import Link, Links
from portineria.dataplane.gateway.local import Local
from portineria.dataplane.gateway.orders import Orders, obey
from portineria.dataplane.gateway.pins import Pins
from portineria.dataplane.gateway.reach import ReachList
from portineria.dataplane.gateway.recordings import recordings_of
from portineria.dataplane.gateway.reporter import Reporter
from portineria.dataplane.gateway.session import Surroundings
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.dataplane.gateway.spool import Spool
from portineria.dataplane.gateway.state import State
from portineria.dataplane.gateway.status import Self, Status, status_of, write_statuses
from portineria.dataplane.gateway.store import Store
from portineria.dataplane.gateway.uploader import Uploader
from portineria.wire.enrolment import Trust
from portineria.wire.leg import Challenge, Dial, FromRelay, Letters, Purpose, prove
from portineria.wire.report import StreamTraffic
from portineria.wire.statement import (
    Acknowledgement,
    Additions,
    EmergencyTerms,
    Freeze,
    HoldAnswer,
    Leases,
    Letter,
    Order,
    ReadSignals,
    RegisterCheckpoint,
    Time,
    Watch,
    Withdrawal,
)

log = structlog.get_logger()
STEP_MS = 5000  # a signed time that differs by more is reported as a jump: somebody's clock is wrong
_RENEW_AGAIN_S = 3600.0


class Gateway:
    """``run`` once, on a state that is locked and enrolled."""

    _certificate, _ends_ms, _admission, _said_full = b"", 0, "waiting", False
    _context: ssl.SSLContext | None = None

    def __init__(self, settings: GatewaySettings, state: State) -> None:
        self._settings, self._state = settings, state
        self._pins, self._keys = Pins(state), state.load_keys()
        self._postbox = Postbox(lambda: self._pins.trust, self._keys.sealing)
        self._clock = TrustedClock(answer_s=settings.answer_s)
        self._store = Store(state.spool)
        self._reach = ReachList(state.reach, loopback_devices=settings.loopback_devices)
        self._spool = Spool(
            self._store, gateway=self._pins.trust.gateway, key=self._keys.event, opening_key=self._pins.opening_key,
            clock=self._clock, limit_bytes=settings.spool_limit_bytes,
        )  # fmt: skip
        self._keeper = Keeper(
            self._store, self._spool, self._clock, lambda: self._pins.trust, every_s=settings.register_every_s
        )
        self._recordings = recordings_of(settings, state, self._spool, self._clock, self._keys.event, self._pins)
        self._freezes = freezes.Freezes(self._store, self._spool)
        around = Surroundings(
            settings, self._spool, self._reach, self._recordings, room=lambda: self._orders.streams < settings.streams,
            glances=Means(self._spool.boot, self._clock, lambda shown: self._reporter.show(shown)),
            linked=lambda: bool(self._links.up), freezes=self._freezes, closed=lambda: self._local.cut.closed(),
        )  # fmt: skip
        self._orders = Orders(
            self._store, self._clock, around, on_change=lambda: self._local.sessions_changed(self._reporter.ask)
        )
        self._local = Local(state, self._store, around, self._orders.sessions.values)
        way = partial(_way, lambda: self._pins.trust, settings, self._clock)
        session_issuer = x509.load_der_x509_certificate(self._pins.trust.issuers["session"])
        self._legs = Legs(settings, self._orders.admissions, way, self._inner, session_issuer, self._prove)
        self._links = Links(
            settings, way, lambda: self._pins.trust.relays, self._prove, receive=self._receive,
            changed=self._links_changed, busy=lambda: bool(self._orders.sessions), beside=self._legs.keep,
        )  # fmt: skip
        self._reporter = Reporter(
            settings, self._spool, self._clock, gateway=self._pins.trust.gateway, key=self._keys.event,
            opening_key=self._pins.opening_key, links=lambda: self._links.up, leased=lambda: _leased(self._orders),
            traffic=lambda: _traffic(self._orders), signers=lambda: sorted(self._pins.trust.signers),
            register=self._keeper.asked, emergency=lambda: self._local.emergency.terms.mark,
        )  # fmt: skip
        how = settings, self._recordings.folder, self._keys.event, self._pins, self._postbox
        self._uploader = Uploader(*how, lambda: _traffic(self._orders))

    # -- what the parts ask of the whole -----------------------------------------------------------------------

    def _prove(self, challenge: Challenge, purpose: Purpose) -> tuple[bytes, bytes]:
        return self._certificate, prove(self._keys.tls, challenge, purpose)

    def _inner(self) -> ssl.SSLContext:
        assert self._context is not None  # noqa: S101 - legs come after admission
        return self._context

    def _links_changed(self) -> None:
        self._keeper.ask_again()
        self._reporter.links_changed()

    # -- what arrives ------------------------------------------------------------------------------------------

    def _receive(self, link: Link, message: FromRelay) -> None:
        if isinstance(message, Dial):
            self._legs.dial(link, message.nonce)
        elif isinstance(message, Letters):
            arrived = boot_s()
            for sealed in message.sealed:
                self._letter(sealed, link, arrived)

    def _letter(self, sealed: bytes, link: Link, arrived: float) -> None:
        try:
            letter, exact = self._postbox.open(sealed, self._clock.known_ms)
            self._obey(letter, exact, arrived)
        except ProtocolError as error:
            # Anybody who holds a relay can make such letters: they are the operators' business, not the ledger's.
            log.warning("letter.refused", relay=link.relay.relay, code=error.code, why=str(error))

    def _obey(self, letter: Letter, exact: bytes, arrived: float) -> None:
        if isinstance(letter, Order | Withdrawal | Leases | HoldAnswer):
            obey(self._orders, letter, exact, arrived)
        elif isinstance(letter, Time):
            self._time(letter)
        elif isinstance(letter, Acknowledgement):
            self._spool.acknowledge(letter)
        elif isinstance(letter, RegisterCheckpoint):
            self._keeper.take(letter)
        elif isinstance(letter, Freeze | Watch):
            attend(letter, self._orders.sessions, self._freezes, self._clock.known_ms, arrived)
        elif isinstance(letter, EmergencyTerms | ReadSignals):
            self._local.take(letter, then=self._reporter.ask)
        else:
            self._add(letter)

    def _time(self, letter: Time) -> None:
        first = not self._clock.known
        step_ms = self._clock.set(letter.nonce, letter.unix_ms)
        if step_ms is None:
            log.info("time.not-believed")
            return
        self._reporter.answered()
        if first:
            self._spool.record("gateway.time.set", unix_ms=letter.unix_ms, step_ms=0, source="control")
        elif abs(step_ms) > STEP_MS:
            self._spool.record("gateway.clock.jumped", step_ms=step_ms)
        self._orders.clock_stepped()
        self._orders.time_known()

    def _add(self, letter: Additions) -> None:
        if names := self._pins.add(letter, self._clock.known_ms):
            self._keeper.ask_again()
            self._reporter.ask()  # the question says whom we believe now
            self._spool.record("gateway.trust.changed", added=len(names), what=" ".join(names))

    # -- running -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled; then streams are ended, recorded and the spool closed."""
        tasks = Tasks()
        self._store.open(spool.SCHEMA + seen.SCHEMA + register.SCHEMA + freezes.SCHEMA + local.SCHEMA)
        try:
            await self._spool.open()
            self._spool.record("gateway.started", version=portineria.__version__, reason="start")
            await self._recordings.open()
            await self._freezes.open()
            await self._orders.open()
            await self._keeper.open()
            await self._local.open()
            tasks.spawn(write_statuses(self._state.status, self.status, every_s=self._settings.status_s), "status")
            await self._admitted()
            tasks.spawn(self._reporter.report(), "events")
            tasks.spawn(self._reporter.question(), "questions")
            tasks.spawn(self._review(), "review")
            tasks.spawn(self._uploader.run(), "uploads")
            tasks.spawn(self._renew(), "renewal")
            await self._links.run()
        finally:
            await self._local.close()
            await self._legs.close()
            self._orders.stop()
            await self._recordings.close()
            await tasks.close()
            self._spool.record("gateway.stopped", reason="stop")
            await self._store.close()

    async def _admitted(self) -> None:
        """Load the certificate, or ask for it until the console said yes."""
        found = self._state.load_certificate(self._pins.pinned, self._keys)
        while found is None:
            await self._ask_certificate()
            found = self._state.load_certificate(self._pins.pinned, self._keys)
            if found is None:
                await asyncio.sleep(self._settings.admission_s)
        certificate, identity = found
        self._context = self._state.inner_context(self._pins.pinned, certificate)
        self._certificate = certificate
        self._ends_ms = round(identity.not_after.timestamp() * 1000)
        self._admission = "admitted"

    async def _ask_certificate(self) -> bool:
        """Whether a certificate came."""
        settings = self._settings
        try:
            asked = partial(ask_certificate, self._state, self._pins.pinned, self._keys, name=settings.name)
            answer = await in_thread(partial(asked, at_ms=self._clock.unix_ms, proxy=settings.proxy))
        except PortineriaError as error:
            self._admission = f"{error.code}: {error}"
            log.warning("certificate.failed", code=error.code, why=str(error))
            return False
        if answer.state != self._admission:
            log.info("gateway.admission", state=answer.state)
        self._admission = answer.state
        return answer.certificate is not None

    async def _renew(self) -> None:
        while True:
            due = self._clock.known and renewal_due(self._certificate, self._clock.unix_ms)
            if due and await self._ask_certificate():
                await self._admitted()
                log.info("certificate.renewed")
            pause_s = self._settings.admission_s * 12 if due else self._settings.review_s * 60
            await asyncio.sleep(min(_RENEW_AGAIN_S, pause_s))

    async def _review(self) -> None:
        """What has no timer of its own: a clock that stood still, a reach list that changed, a disk that filled."""
        while True:
            if self._reach.refresh():
                log.info("reach.changed", fault=self._reach.fault)
                self._orders.reach_changed()
            if self._spool.full and not self._said_full:
                self._spool.record("spool.full", dropped=0, limit_bytes=self._settings.spool_limit_bytes)
            self._said_full = self._spool.full
            for part in (self._orders, self._local.emergency, self._keeper):
                part.review()
            await asyncio.sleep(self._settings.review_s)

    def status(self) -> Status:
        known = self._admission, self._clock.unix_ms, self._ends_ms, self._reach.fault, self._local.cut.holds
        about = Self(self._pins.trust.gateway, *known)
        return status_of(about, self._links, list(self._orders.sessions.values()), self._spool, self._keeper.status())


def _way(trust: Callable[[], Trust], settings: GatewaySettings, clock: TrustedClock) -> Way:
    issuer = x509.load_der_x509_certificate(trust().issuers["relay"])
    return Way(
        issuer, lambda host: proxy_for(host, settings.proxy), settings.allow_opened, settings.nested,
        unix_ms=lambda: clock.known_ms,
    )  # fmt: skip


def _leased(orders: Orders) -> dict[str, float]:
    return {name: session.order.lease_s for name, session in orders.sessions.items()}


def _traffic(orders: Orders) -> list[StreamTraffic]:
    return [
        StreamTraffic(name, stream.stream, *stream.carried)
        for name, session in orders.sessions.items()
        for stream in session.streams.values()
    ]
