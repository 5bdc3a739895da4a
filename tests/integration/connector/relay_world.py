# SPDX-License-Identifier: Apache-2.0
"""Real relays, a gateway that plays by script, a device that echoes, and the control plane's answers.

The gateway's side is scripted because its refusals, delays and lies are what the connector has to cope with.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from portineria.bus.message import CloseLegs, SetAdmitted
from portineria.core.errors import PortineriaError
from portineria.dataplane.aio.channel import Channel
from portineria.dataplane.aio.leg import Way, dial_leg, reach
from portineria.dataplane.aio.stream_end import StreamEnd
from portineria.dataplane.aio.task import Tasks, until
from portineria.dataplane.aio.tls import inner_context
from portineria.dataplane.connector.api import decode, encode
from portineria.dataplane.connector.tool_side import ToolSide
from portineria.dataplane.gateway.opening import LegGone, Opening
from portineria.dataplane.relay.door import Door
from portineria.dataplane.relay.relay import Relay
from portineria.dataplane.relay.settings import RelaySettings
from portineria.wire.certificate import load_spki, spki_sha256
from portineria.wire.leg import (
    FROM_RELAY,
    LEG_ALPN,
    LINK_ALPN,
    Dial,
    GatewayLeg,
    GatewayProof,
    SpareLeg,
    first_frame,
    prove,
)
from portineria.wire.statement import Admitted, AdmittedGateway, RelayAddress, Ticket, sha256, sign_statement
from portineria.wire.stream import Data, Hello, Open, encode_control
from tests.integration.connector.wire_pair import Certificates

GATEWAY, SESSION = "gw_aaaaaaaaaaaaaaaa", "ses_aaaaaaaaaaaaaaaa"
# Of each worker its own: the addresses of doors follow from it, and all workers share this computer's.
MACHINE = "mac_" + chr(ord("a") + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))) * 16
ORDER = b"o" * 32


@dataclass
class RunningRelay:
    """One relay in this process; ``shown`` is where connectors are told to dial it."""

    id: str
    relay: Relay
    door: Door
    address: tuple[str, int]
    shown: tuple[str, int]


class ScriptedGateway:
    """``script`` decides on each HELLO: None opens it to the device, text refuses it with that reason."""

    def __init__(self, certificates: Certificates, device: tuple[str, int], name: str = GATEWAY) -> None:
        chain, key_file = certificates.files("gateway", name)
        key = load_pem_private_key(key_file.read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.key = key
        self.certificate = certificates.leaf("gateway", name, key.public_key()).public_bytes(Encoding.DER)
        self._context = inner_context(
            server_side=True, chain=chain, key=key_file, issuer=certificates.issuers["session"]
        )
        self._way = Way(certificates.issuers["relay"], lambda _host: None)
        self._device = device
        self.script: Callable[[Hello], str | None] = lambda _hello: None
        self.answering = asyncio.Event()  # while it is not set, no HELLO is answered
        self.answering.set()
        self.tasks = Tasks()
        self.hellos: list[Hello] = []
        self._last: Opening | None = None
        self.opened = 0  # connections to the device
        self.legs, self.legs_being_made, self.most_at_once = 0, 0, 0
        self.streams: dict[str, StreamEnd] = {}
        self.ends: Counter[str] = Counter()

    @property
    def spki_sha256(self) -> bytes:
        return spki_sha256(self.key.public_key())

    @property
    def early(self) -> bytes:
        """What came behind the last HELLO before its answer."""
        frames = self._last.frames if self._last is not None else []
        return b"".join(bytes(frame.content) for frame in frames if isinstance(frame, Data))

    async def link(self, relay: RelayAddress) -> None:
        outer, challenge, _ = await reach(relay, self._way, LINK_ALPN)
        await outer.send(first_frame(GatewayProof(self.certificate, prove(self.key, challenge, "link"))))
        await outer.receive()
        self.tasks.spawn(self._serve_link(relay, outer), "link")

    async def dead_spare(self, relay: RelayAddress) -> None:
        """A leg waits at the relay from which nothing will come."""
        outer, challenge, _ = await reach(relay, self._way, LEG_ALPN)
        await outer.send(first_frame(SpareLeg(self.certificate, prove(self.key, challenge, "spare"))))

        async def silent() -> None:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                outer.abort()

        self.tasks.spawn(silent(), "dead spare")

    async def _serve_link(self, relay: RelayAddress, outer: Any) -> None:
        try:
            while True:
                message = FROM_RELAY.decode(await outer.receive())
                if isinstance(message, Dial):
                    self.tasks.spawn(self._serve_leg(relay, message.nonce), "leg")
        except (OSError, PortineriaError):
            pass
        finally:
            outer.abort()

    async def _serve_leg(self, relay: RelayAddress, nonce: bytes) -> None:
        self.legs_being_made += 1
        self.most_at_once = max(self.most_at_once, self.legs_being_made)
        try:
            ready = await dial_leg(relay, self._way, lambda _challenge, nested: GatewayLeg(nonce, nested))
            channel = Channel(ready.layers)
            await channel.start(ready.sock, self._context, server_side=True, early=ready.early)
        except (OSError, PortineriaError):
            return
        finally:
            self.legs_being_made -= 1
        self.legs += 1
        opening = self._last = Opening(channel, relay.relay)
        opening.begin()
        with contextlib.suppress(LegGone):
            await self._answer(opening, await opening.hello())

    async def _answer(self, opening: Opening, hello: Hello) -> None:
        self.hellos.append(hello)
        await self.answering.wait()
        if opening.gone:
            return
        reason = self.script(hello)
        if reason is None and hello.resume and hello.stream not in self.streams:
            reason = "hold.expired"
        if reason is not None:
            opening.refuse(reason)
            return
        if not hello.resume:
            await self._open_device(hello.stream)
        stream = self.streams[hello.stream]
        opening.channel.write(encode_control(Open(stream.received)))
        stream.attach(opening.channel, opening.reader, hello.resume_from)
        stream.handle(opening.frames)

    async def _open_device(self, name: str) -> None:
        self.opened += 1
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, self._device)
        local = ToolSide(sock, lambda: None)
        await local.start()

        def over(how: str) -> None:
            self.ends[how] += 1
            del self.streams[name]

        stream = self.streams[name] = StreamEnd(local, gateway_side=True, on_over=over, on_leg_lost=lambda: None)
        local.carry(stream)

    async def close(self) -> None:
        for stream in list(self.streams.values()):
            stream.end("cut")
        await self.tasks.close()


@dataclass
class World:
    folder: Path
    certificates: Certificates
    gateway: ScriptedGateway
    device: "Device"
    relays: list[RunningRelay] = field(default_factory=list)
    ticket_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    ticket_s: float = 300
    hold_s: int = 60
    max_legs: int = 512
    services: list[dict[str, Any]] = field(default_factory=list)

    @property
    def pin(self) -> str:
        key = load_spki(
            self.certificates.root.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        )
        return spki_sha256(key).hex()

    async def add_relay(self, name: str, *, nested_only: bool = False) -> RunningRelay:
        chain, key = self.certificates.files("relay", name)
        issuer = self.folder / "gateway-issuer.der"
        issuer.write_bytes(self.certificates.issuers["gateway"].public_bytes(Encoding.DER))
        public = self.ticket_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        settings = RelaySettings(
            relay=name, listen=["127.0.0.1:0"], certificate=chain, key=key, gateway_issuer=issuer,
            ticket_key=public.hex(), bus=f"{self.folder}/no-bus.sock", nested_only=nested_only, setups_per_address=4096,
        )  # fmt: skip
        relay = Relay(settings)
        admitted = Admitted(1, time.time_ns() // 10**6, [AdmittedGateway(GATEWAY, self.gateway.spki_sha256)])
        relay.from_control(SetAdmitted(sign_statement(admitted, self.ticket_key, "sig_1")))
        door = Door(relay)
        [address] = door.open()
        made = RunningRelay(name, relay, door, address, address)
        self.relays.append(made)
        await self.gateway.link(RelayAddress(name, *address))
        return made

    def close_legs(self) -> None:
        for relay in self.relays:
            relay.relay.from_control(CloseLegs(SESSION))

    def tickets(self, key_sha256: bytes) -> list[str]:
        until_ms = round((time.time() + self.ticket_s) * 1000)
        return [
            encode(sign_statement(
                Ticket(SESSION, key_sha256, GATEWAY, relay.id, until_ms, self.max_legs), self.ticket_key, "sig_1"
            ))
            for relay in self.relays
        ]  # fmt: skip

    def relay_list(self) -> list[dict[str, Any]]:
        return [{"relay": r.id, "host": r.shown[0], "port": r.shown[1]} for r in self.relays]

    def session_answer(self, key: str) -> dict[str, Any]:
        """What POST /api/v1/sessions answers for this session key."""
        public = load_spki(decode(key))
        assert isinstance(public, ec.EllipticCurvePublicKey)
        certificates = self.certificates
        return {
            "session": SESSION,
            "machine": MACHINE,
            "machine_name": "Press 3",
            "certificate": encode(certificates.leaf("session", SESSION, public).public_bytes(Encoding.DER)),
            "trust": {
                "root": encode(certificates.root.public_bytes(Encoding.DER)),
                "issuers": {k: encode(c.public_bytes(Encoding.DER)) for k, c in certificates.issuers.items()},
            },
            "gateway": GATEWAY,
            "gateway_spki_sha256": encode(self.gateway.spki_sha256),
            "order_sha256": encode(ORDER),
            "relays": self.relay_list(),
            "tickets": self.tickets(sha256(decode(key))),
            "services": self.services,
            "ends_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
            "drain_s": 600,
            "hold_s": self.hold_s,
            "state": "opening",
        }


class Device:
    """Echoes what it gets, until the end."""

    def __init__(self) -> None:
        self.address = ("", 0)
        self.bytes = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.address = self._server.sockets[0].getsockname()[:2]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                self.bytes += len(data)
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        writer.close()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()


async def everybody_was_let_in(address: tuple[str, int]) -> None:
    """A door takes connections in turn: once it has dealt with this one, none that came before waits to be taken."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"x")
    with contextlib.suppress(ConnectionError):
        await reader.read()
    writer.close()


@contextlib.asynccontextmanager
async def relay_world(folder: Path, *, relays: int = 1, nested_only: bool = False) -> AsyncIterator[World]:
    device = Device()
    await device.start()
    certificates = Certificates(folder)
    gateway = ScriptedGateway(certificates, device.address)
    services = [
        {"service": "srv_aaaaaaaaaaaaaaaa", "name": "Echo", "protocol": "modbus", "port": 15020, "device": "controller"}
    ]
    world = World(folder, certificates, gateway, device, services=services)
    for number in range(relays):
        await world.add_relay(f"rel_{'abc'[number] * 16}", nested_only=nested_only)
    try:
        yield world
    finally:
        await gateway.close()
        for relay in world.relays:
            await everybody_was_let_in(relay.address)
            await relay.door.close()
        await device.close()
        assert await until(lambda: not any(r.relay.figures["pairs"] for r in world.relays), timeout_s=30)
