# SPDX-License-Identifier: Apache-2.0
"""A control plane made of the real parts, for tests of gateways and relays: it signs, seals, answers and acknowledges.

Everything that crosses a wire is made by ``portineria.wire``; relays are real processes on the real bus. What a test
wants otherwise (no answers, no leases, wrong signatures) it switches.
"""

import asyncio
import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

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
from portineria.dataplane.relay.settings import RelaySettings
from portineria.process.settings import write_settings
from portineria.wire import certificate as certificates
from portineria.wire.enrolment import EnrolmentRequest, Trust
from portineria.wire.envelope import seal
from portineria.wire.report import Context, Event, Question, open_report, read_context
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
    RelayAddress,
    SessionLease,
    Ticket,
    Time,
    Withdrawal,
    letter_info,
    sha256,
    sign_statement,
    tag_of,
)

WAIT_S = 30.0  # a deadline, not a pause: this machine may be busy with other tests
PEM = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


async def eventually(condition: Callable[[], object], what: str = "", *, within_s: float = WAIT_S) -> None:
    """Wait for a condition; fail with ``what`` when it does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what or condition}")
        await asyncio.sleep(0.005)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _end_with_the_test() -> None:
    """Whoever kills the test run leaves nothing running behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, linux/prctl.h


class Process:
    """A child process of the test: its log is kept, its signals are ours to give."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._arguments, self.log = arguments, log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *, environment: dict[str, str] | None = None) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, *self._arguments, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(environment or {})}, preexec_fn=_end_with_the_test,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def freeze(self) -> None:
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    async def kill(self) -> None:
        await self.end(signal.SIGKILL)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal, wait, return the exit status."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
                self._process.send_signal(number)
            try:
                async with asyncio.timeout(WAIT_S):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        return self._process.returncode or 0

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""


@dataclass
class RelayProcess:
    address: RelayAddress
    settings: RelaySettings
    process: Process
    certificate: Path
    key: Path


@dataclass
class KnownGateway:
    """What the control plane knows of a gateway."""

    gateway: str
    request: EnrolmentRequest
    links: set[str] = field(default_factory=set)
    questions: list[Question] = field(default_factory=list)
    boots: list[bytes] = field(default_factory=list)

    @property
    def spki_sha256(self) -> bytes:
        return sha256(self.request.tls_key)


@dataclass(frozen=True)
class Stored:
    """An event as the control plane keeps it."""

    context: Context
    event: Event
    sha256: bytes

    def __getattr__(self, name: str) -> object:
        return getattr(self.event, name)


@dataclass
class KnownSession:
    order: Order
    order_sha256: bytes
    permitted: bool = True


class Authority:
    """``await start()``, ``await close()``. Switches: ``answers_time``, ``leases``, ``acknowledges``, ``lease_s``.

    ``time_shift_ms`` sets the control plane's clock beside this machine's, which is the gateway's: as if that one were
    wrong. Relays keep the machine's time.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.organisation = new_id(Kind.ORGANISATION)
        self.now = datetime.now(UTC)
        self.root_key = ec.generate_private_key(ec.SECP256R1())
        self.root = certificates.make_root(self.root_key, "test", self.now)
        self.issuer_keys = {kind: ec.generate_private_key(ec.SECP256R1()) for kind in certificates.ISSUERS}
        self.issuers = {
            kind: certificates.make_issuer(kind, key.public_key(), root_key=self.root_key, root=self.root, at=self.now)
            for kind, key in self.issuer_keys.items()
        }
        self.signer_keys = {role: Ed25519PrivateKey.generate() for role in ROLES}
        self.signer_ids = {role: new_id(Kind.SIGNER) for role in ROLES}
        self.opening_keys = {"key_1": X25519PrivateKey.generate()}
        self.relays: dict[str, RelayProcess] = {}
        self.gateways: dict[str, KnownGateway] = {}
        self.sessions: dict[str, KnownSession] = {}
        self.events: dict[str, list[Stored]] = defaultdict(list)  # in the order of their chain, per gateway
        self.faults: list[str] = []  # gaps, forks, clones, broken seals
        self.legs_closed: list[LegsClosed] = []
        self.answers_time = self.leases = self.acknowledges = True
        self.time_shift_ms = 0
        self.lease_s: int | None = None  # None: as the order says
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
        place = self.directory / name
        place.mkdir()
        port, key = free_port(), ec.generate_private_key(ec.SECP256R1())
        leaf = self.issue("relay", name, key.public_key(), hosts=("127.0.0.1", "localhost"))
        (place / "relay.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
        (place / "relay.key").write_bytes(key.private_bytes(*PEM))
        (place / "gateway-issuer.der").write_bytes(self.der(self.issuers["gateway"]))
        given = RelaySettings(
            relay=name, listen=[f"127.0.0.1:{port}"], certificate=place / "relay.pem", key=place / "relay.key",
            gateway_issuer=place / "gateway-issuer.der", ticket_key=raw(self.signer_keys["ticket"]).hex(),
            bus=self.bus.path(name), **settings,  # type: ignore[arg-type]
        )  # fmt: skip
        write_settings(place / "relay.toml", given)
        process = Process(["-m", "portineria.dataplane.relay", str(place / "relay.toml")], place / "log")
        return RelayProcess(RelayAddress(name, "127.0.0.1", port), given, process, given.certificate, given.key)

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

    # -- certificates ------------------------------------------------------------------------------------------

    def issue(
        self, kind: str, identifier: str, key: certificates.LeafKey, *, hosts: tuple[str, ...] = (),
        at: datetime | None = None, life: timedelta = timedelta(days=30),
    ) -> x509.Certificate:  # fmt: skip
        return certificates.issue(
            kind, identifier, key, issuer_key=self.issuer_keys[kind], issuer=self.issuers[kind], at=at or self.now,
            life=life, hosts=hosts,
        )  # fmt: skip

    @staticmethod
    def der(certificate: x509.Certificate) -> bytes:
        return certificate.public_bytes(Encoding.DER)

    def signer_certificate(self, role: str) -> bytes:
        name = f"{role}:{self.signer_ids[role]}"
        return self.der(self.issue("signer", name, self.signer_keys[role].public_key(), life=timedelta(days=3650)))

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

    # -- letters -----------------------------------------------------------------------------------------------

    def signed(
        self, letter: Letter | Ticket, *, role: str | None = None, key: Ed25519PrivateKey | None = None
    ) -> bytes:  # fmt: skip
        """Signed by the right role, or by another one, or by a stranger's ``key`` under the right name."""
        chosen = role or {"acknowledgement": "acknowledgement", "ticket": "ticket"}.get(tag_of(letter), "order")
        return sign_statement(letter, key or self.signer_keys[chosen], self.signer_ids[chosen])

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
        digest = sha256(_statement(signed))
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
        else:
            self._store(relay, context, body, sha256(exact))

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
        sealed = [self.seal(known.gateway, self.signed(letter)) for letter in letters]
        self.bus.publish(relay, Deliver(known.gateway, sealed))

    def _store(self, relay: str, context: Context, event: Event, digest: bytes) -> None:
        kept = self.events[context.gateway]
        same = [one for one in kept if (one.context.epoch, one.context.seq) == (context.epoch, context.seq)]
        if same:
            if same[0].sha256 != digest:
                self.faults.append(f"forked at {context.seq}")
        else:
            last = kept[-1] if kept and kept[-1].context.epoch == context.epoch else None
            expected = (last.context.seq + 1, last.sha256) if last else (1, bytes(32))
            if (context.seq, context.prev_sha256) != expected:
                self.faults.append(f"gap at {context.seq}, expected {expected[0]}")
                return
            kept.append(Stored(context, event, digest))
        if self.acknowledges and kept[-1].context.epoch == context.epoch:
            newest = kept[-1]
            letter = Acknowledgement(context.gateway, context.epoch, newest.context.seq, newest.sha256)
            self.bus.publish(relay, Deliver(context.gateway, [self.seal(context.gateway, self.signed(letter))]))

    def found(self, gateway: str, code: str, session: str | None = None, **fields: object) -> list[Event]:
        """The events of this code (session, fields), in order."""
        return [
            one.event
            for one in self.events[gateway]
            if one.event.code == code
            and session in (None, one.event.session)
            and all(one.event.fields.get(name) == value for name, value in fields.items())
        ]

    async def event(self, gateway: str, code: str, session: str | None = None, **fields: object) -> Event:
        """The first such event, when it has come."""

        def why() -> str:
            return f"{code} {fields}; there are {[(one.code, one.fields) for one in self.events[gateway]]}"

        deadline = time.monotonic() + WAIT_S
        while not (found := self.found(gateway, code, session, **fields)):
            assert time.monotonic() < deadline, why()
            await asyncio.sleep(0.005)
        return found[0]


def raw(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _statement(signed: bytes) -> bytes:
    from portineria.wire.envelope import read_signed

    return read_signed(signed).statement


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def nonce() -> bytes:
    return secrets.token_bytes(32)
