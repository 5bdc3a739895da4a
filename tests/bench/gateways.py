# SPDX-License-Identifier: Apache-2.0
"""Many gateways reduced to their control links, in one process: ``python -m tests.bench.gateways FOLDER``.

Each has a key and a certificate of its own and is kept up by the product's ``Links``: its dialling, its proof, its
heartbeat and its pauses. What a gateway has beside that (spool, orders, devices) a relay never sees.

For every line on standard input one line of JSON is printed: how many links are up, and how often each event was
logged so far. The end of standard input is the end.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.leg import Way
from portineria.dataplane.aio.task import Tasks, until
from portineria.dataplane.gateway.link import Link, Links
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.process.descriptors import raise_descriptor_limit
from portineria.process.loop import run
from portineria.wire import certificate as certificates
from portineria.wire.enrolment import EnrolmentRequest
from portineria.wire.leg import Challenge, FromRelay, Purpose, prove
from portineria.wire.statement import RelayAddress
from tests.integration.authority import Authority

_UNUSED = bytes(32)  # the keys that sign events and open letters: nobody uses them here
_AT_ONCE = 64  # first links being set up at a time: what is measured is not their beginning


class Simulated(msgspec.Struct):
    gateway: str
    key: bytes
    certificate: bytes
    relay: RelayAddress  # by the address that gives this gateway its own source address


class World(msgspec.Struct):
    """What the process is given, as ``world`` in its folder."""

    relay_issuer: bytes
    gateways: list[Simulated]


def make(authority: Authority, hosts: Iterable[str]) -> World:
    """One gateway for each host under which the relay can be reached. Known to the authority, not yet admitted."""
    relay, made = authority.relay.address, []
    for host in hosts:
        name, key = new_id(Kind.GATEWAY), ec.generate_private_key(ec.SECP256R1())
        request = EnrolmentRequest(certificates.spki(key.public_key()), _UNUSED, _UNUSED, name="simulated", version="0")
        authority.know(name, request)
        der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        address = RelayAddress(relay.relay, host, relay.port)
        made.append(Simulated(name, der, authority.gateway_certificate(name), address))
    return World(authority.der(authority.issuers["relay"]), made)


class _Counted:
    """Events of the log by name and code; nothing is printed."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        self.events[" ".join(str(event[name]) for name in ("event", "code") if name in event)] += 1
        raise structlog.DropEvent


def _links(one: Simulated, issuer: x509.Certificate, settings: GatewaySettings) -> Links:
    key = load_der_private_key(one.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    way = Way(issuer, lambda _: None)

    def proof(challenge: Challenge, purpose: Purpose) -> tuple[bytes, bytes]:
        return one.certificate, prove(key, challenge, purpose)

    async def beside(_link: Link) -> None:
        pass

    def receive(_link: Link, _message: FromRelay) -> None:
        pass

    return Links(
        settings, lambda: way, lambda: [one.relay], proof, receive=receive, changed=lambda: None, busy=lambda: False,
        beside=beside,
    )  # fmt: skip


async def _begin(world: World, settings: GatewaySettings, tasks: Tasks, every: list[Links]) -> None:
    """Batch by batch: what is measured is not how quickly all of them can be set up for the first time."""
    issuer = x509.load_der_x509_certificate(world.relay_issuer)
    for start in range(0, len(world.gateways), _AT_ONCE):
        batch = [_links(one, issuer, settings) for one in world.gateways[start : start + _AT_ONCE]]
        for links in batch:
            tasks.spawn(links.run(), "links")
        every += batch
        await until(lambda batch=batch: all(links.up for links in batch), timeout_s=30)  # type: ignore[misc]


async def _simulate(world: World, settings: GatewaySettings, counted: _Counted) -> None:
    raise_descriptor_limit()
    tasks, every, lines = Tasks(), list[Links](), asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    tasks.spawn(_begin(world, settings, tasks, every), "beginning")
    while await lines.readline():
        up = sum(len(links.up) for links in every)
        print(json.dumps({"up": up, "events": dict(counted.events)}), flush=True)
    await tasks.close()


def main(folder: Path) -> int:
    counted = _Counted()
    structlog.configure(processors=[counted], cache_logger_on_first_use=False)
    world = msgspec.msgpack.decode((folder / "world").read_bytes(), type=World)
    settings = msgspec.json.decode((folder / "settings.json").read_bytes(), type=GatewaySettings)
    run(_simulate(world, settings, counted))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
