# SPDX-License-Identifier: Apache-2.0
"""A control plane made of the real parts, for tests of gateways and relays: it signs, seals, answers and acknowledges.

Everything that crosses a wire is made by ``portineria.wire``; relays are real processes on the real bus. What a test
wants otherwise (no answers, no leases, wrong signatures) it switches.
"""

import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from portineria.bus.local import LocalBus
from portineria.bus.message import (
    Deliver,
    FromGateway,
    LegsClosed,
    LinkDown,
    LinkUp,
    RelayUp,
    SetAdmitted,
    ToControl,
)
from portineria.core.ids import Kind, new_id
from portineria.wire import certificate as certificates
from portineria.wire.enrolment import EnrolmentRequest, Trust
from portineria.wire.envelope import read_signed, seal
from portineria.wire.report import Context, Glance, Question, SignalValues, open_report, read_context
from portineria.wire.statement import (
    ROLES,
    Acknowledgement,
    Admitted,
    AdmittedGateway,
    Asset,
    Leases,
    Letter,
    OpeningKey,
    Order,
    RegisterCheckpoint,
    RelayAddress,
    SessionLease,
    Ticket,
    Time,
    Withdrawal,
    letter_info,
    sha256,
    sign_statement,
)
from tests.integration.credentials import Credentials, raw
from tests.integration.process import eventually
from tests.integration.register import Register, Stored
from tests.integration.relay_process import RelayProcess, furnish
from tests.integration.sealed_register import SealedRegister


@dataclass
class KnownGateway:
    """What the control plane knows of a gateway."""

    gateway: str
    request: EnrolmentRequest
    links: set[str] = field(default_factory=set)
    questions: list[Question] = field(default_factory=list)
    glances: list[Glance] = field(default_factory=list)
    signals: list[SignalValues] = field(default_factory=list)
    boots: list[bytes] = field(default_factory=list)

    @property
    def spki_sha256(self) -> bytes:
        return sha256(self.request.tls_key)


@dataclass
class KnownSession:
    order: Order
    order_sha256: bytes
    permitted: bool = True


class Authority(Credentials, Register):
    """``await start()``, ``await close()``. Switches: ``answers_time``, ``leases``, ``acknowledges``, ``lease_s``.

    ``time_shift_ms`` sets the control plane's clock beside this machine's, which is the gateway's: as if that one were
    wrong. Relays keep the machine's time.
    """

    def __init__(self, directory: Path) -> None:
        Credentials.__init__(self)
        Register.__init__(self)
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.organisation = new_id(Kind.ORGANISATION)
        self.relays: dict[str, RelayProcess] = {}
        self.gateways: dict[str, KnownGateway] = {}
        self.sessions: dict[str, KnownSession] = {}
        self.legs_closed: list[LegsClosed] = []
        self.answers_time = self.leases = self.acknowledges = True
        self.time_shift_ms = 0
        self.lease_s: int | None = None  # None: as the order says
        # What questions about the register are answered with; the real thing when a test does not say otherwise.
        self.register = SealedRegister(self.organisation, self.signer_keys["checkpoint"])
        self.checkpoint: Callable[[str, Question], RegisterCheckpoint | None] = self.checkpoint_of
        # Elsewhere than the rest: the paths of Unix sockets have at most 107 bytes.
        self.sockets = Path(tempfile.mkdtemp(prefix="bus-"))
        self.bus = LocalBus(self.sockets, self._receive)
        self._number = 0

    # -- relays ------------------------------------------------------------------------------------------------

    async def start(self, relays: int = 1, *, wait: bool = True, **settings: object) -> "Authority":
        """``wait``: until the relays listen; ``relay_up`` does it later, while other processes start."""
        names = [new_id(Kind.RELAY) for _ in range(relays)]
        await self.bus.open(names)
        try:
            for name in names:
                relay = self.relays[name] = self._furnish_relay(name, settings)
                await relay.process.start()
            for name in names if wait else ():
                await self.relay_up(name)
        except BaseException:
            await self.close()
            raise
        return self

    async def relay_up(self, relay: str) -> None:
        process = self.relays[relay].process
        await eventually(lambda: relay in self.bus.relays or not process.running, f"{relay} on the bus")
        assert process.running, process.said
        port = self.relays[relay].address.port
        await eventually(lambda: _listens(port), f"{relay} listening: {self.relays[relay].process.said}")

    def _furnish_relay(self, name: str, settings: dict[str, object]) -> RelayProcess:
        return furnish(name, self.directory / name, self, bus=str(self.bus.path(name)), settings=settings)

    @property
    def relay(self) -> RelayProcess:
        """The only one, or the first."""
        return next(iter(self.relays.values()))

    async def restart_relay(self, relay: str) -> None:
        await self.relays[relay].process.kill()
        await eventually(lambda: relay not in self.bus.relays, "the killed relay leaves the bus")
        await self.relays[relay].process.start()
        await self.relay_up(relay)

    async def close(self) -> None:
        for relay in self.relays.values():
            await relay.process.end()
        await self.bus.close()
        shutil.rmtree(self.sockets)

    def trust(
        self, gateway: str, *, url: str = "http://127.0.0.1:9", relays: list[RelayAddress] | None = None
    ) -> Trust:  # fmt: skip
        return Trust(
            organisation=self.organisation, gateway=gateway, root=self.der(self.root),
            issuers={kind: self.der(issuer) for kind, issuer in self.issuers.items()},
            signers={self.signer_ids[role]: self.signer_certificate(role) for role in ROLES},
            relays=[relay.address for relay in self.relays.values()] if relays is None else relays,
            opening_keys=[OpeningKey(name, raw(key)) for name, key in self.opening_keys.items()],
            renew_url=url,
        )  # fmt: skip

    # -- gateways ----------------------------------------------------------------------------------------------

    def know(self, gateway: str, request: EnrolmentRequest) -> KnownGateway:
        known = self.gateways[gateway] = KnownGateway(gateway, request)
        return known

    def gateway_certificate(self, gateway: str, **dates: object) -> bytes:
        key = certificates.load_spki(self.gateways[gateway].request.tls_key)
        return self.der(self.issue("gateway", gateway, key, **dates))  # type: ignore[arg-type]

    def admit(self, *gateways: str) -> None:
        """These gateways and no others may have links from now on."""
        self._number += 1
        rows = [AdmittedGateway(name, self.gateways[name].spki_sha256) for name in gateways]
        admitted = Admitted(self._number, self._unix_ms() - self.time_shift_ms, rows)
        self._admitted = sign_statement(admitted, self.signer_keys["ticket"], self.signer_ids["ticket"])
        self.bus.publish_all(SetAdmitted(self._admitted))

    _admitted = b""

    async def linked(self, gateway: str, links: int = 1) -> None:
        await eventually(lambda: len(self.gateways[gateway].links) >= links, f"{links} links of {gateway}")

    async def unlinked(self, gateway: str) -> None:
        """Whoever kills a gateway waits for this, or takes the dead one's link for the new one's."""
        await eventually(lambda: not self.gateways[gateway].links, f"no link of {gateway}")

    # -- letters -----------------------------------------------------------------------------------------------

    def seal(self, gateway: str, signed: bytes) -> bytes:
        recipient = X25519PublicKey.from_public_bytes(self.gateways[gateway].request.sealing_key)
        return seal(signed, recipient, info=letter_info(gateway))

    def send(self, gateway: str, letter: Letter) -> None:
        """Over every relay where the gateway has a link."""
        self.deliver(gateway, self.seal(gateway, self.signed(letter)))

    def deliver(self, gateway: str, *sealed: bytes) -> None:
        for relay in self.gateways[gateway].links:
            self.bus.publish(relay, Deliver(gateway, list(sealed)))

    def order(self, gateway: str, session: str, key_sha256: bytes, assets: list[Asset], **fields: object) -> Order:
        """An order for the next hour; ``fields`` override. Not sent."""
        known = self.sessions.get(session)
        now = self._unix_ms()
        values: dict[str, object] = {
            "organisation": self.organisation, "gateway": gateway, "session": session,
            "order_seq": known.order.order_seq + 1 if known else 1, "session_spki_sha256": key_sha256,
            "assets": assets, "profile": "any", "not_before_ms": now - 1000, "expires_ms": now + 3_600_000,
            "max_legs": 64, "recording": "none", "consent": "none", "on_silence": "drain", "lease_s": 30, "drain_s": 30,
            "hold_s": 60, "signer_id": self.signer_ids["order"],
        }  # fmt: skip
        return Order(**{**values, **fields})  # type: ignore[arg-type]

    def permit(self, order: Order) -> bytes:
        """Send the order and lease its session from now on; return the order's hash."""
        signed = self.signed(order)
        digest = sha256(read_signed(signed).statement)
        self.sessions[order.session] = KnownSession(order, digest)
        self.deliver(order.gateway, self.seal(order.gateway, signed))
        return digest

    def withdraw(self, session: str, ending: str = "cut", *, drain_s: int = 0, reason: str = "test") -> Withdrawal:
        known = self.sessions[session]
        known.permitted = ending != "cut"
        order = known.order
        letter = Withdrawal(order.gateway, session, order.order_seq + 1, ending, drain_s, reason)  # type: ignore[arg-type]
        self.send(order.gateway, letter)
        return letter

    def ticket(self, relay: str, gateway: str, session: str, key_sha256: bytes, **fields: object) -> bytes:
        values: dict[str, object] = {"max_legs": 64, **fields}
        values.setdefault("not_after_ms", self._unix_ms() - self.time_shift_ms + 300_000)
        return self.signed(Ticket(session, key_sha256, gateway, relay, **values))  # type: ignore[arg-type]

    def _unix_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.time_shift_ms

    # -- what comes --------------------------------------------------------------------------------------------

    async def _receive(self, message: ToControl) -> None:
        if isinstance(message, RelayUp):
            for known in self.gateways.values():
                known.links.discard(message.relay)
            for gateway in message.gateways:
                self.gateways[gateway].links.add(message.relay)
            if self._admitted:
                self.bus.publish(message.relay, SetAdmitted(self._admitted))
        elif isinstance(message, LinkUp):
            self.gateways[message.gateway].links.add(message.relay)
        elif isinstance(message, LinkDown):
            self.gateways[message.gateway].links.discard(message.relay)
        elif isinstance(message, FromGateway):
            for report in message.sealed:
                self._report(message.relay, report)
        else:
            self.legs_closed.append(message)

    def _report(self, relay: str, report: bytes) -> None:
        context, outer = read_context(report)
        known = self.gateways[context.gateway]
        sender = Ed25519PublicKey.from_public_bytes(known.request.event_key)
        body, exact = open_report(outer, key=self.opening_keys[context.recipient_key_id], sender=sender)
        if body.boot not in known.boots:
            known.boots.append(body.boot)
        if isinstance(body, Question):
            known.questions.append(body)
            self._answer(relay, known, body)
        elif isinstance(body, Glance):
            known.glances.append(body)
        elif isinstance(body, SignalValues):
            known.signals.append(body)
        else:
            self._acknowledge(relay, self.keep(context, body, sha256(exact)), context)

    def _answer(self, relay: str, known: KnownGateway, question: Question) -> None:
        letters: list[Letter] = []
        if self.answers_time:
            letters.append(Time(known.gateway, question.nonce, self._unix_ms()))
        if self.leases:
            found = [self.sessions[name] for name in question.sessions if name in self.sessions]
            leases = [
                SessionLease(one.order.session, one.order_sha256, self.lease_s or one.order.lease_s)
                for one in found
                if one.permitted
            ]
            letters.append(Leases(known.gateway, question.nonce, leases))
        if question.register_size is not None and (checkpoint := self.checkpoint(known.gateway, question)):
            letters.append(checkpoint)
        sealed = [self.seal(known.gateway, self.signed(letter)) for letter in letters]
        self.bus.publish(relay, Deliver(known.gateway, sealed))

    def checkpoint_of(self, gateway: str, question: Question) -> RegisterCheckpoint | None:
        kept, register = question.register_size or 0, self.register
        if not register.leaves:
            return None
        return RegisterCheckpoint(gateway, question.nonce, register.note(), kept, register.proof(kept))

    def _acknowledge(self, relay: str, newest: Stored | None, context: Context) -> None:
        if self.acknowledges and newest is not None and newest.context.epoch == context.epoch:
            letter = Acknowledgement(context.gateway, context.epoch, newest.context.seq, newest.sha256)
            self.bus.publish(relay, Deliver(context.gateway, [self.seal(context.gateway, self.signed(letter))]))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def nonce() -> bytes:
    return secrets.token_bytes(32)
