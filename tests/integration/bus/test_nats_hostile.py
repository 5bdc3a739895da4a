# SPDX-License-Identifier: Apache-2.0
"""A relay on the bus that is in somebody else's hands: with its own key it says and asks for whatever it likes."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error

from portineria.bus.envelope import Envelope
from portineria.bus.message import NEWS, TO_CONTROL, CloseLegs, LinkDown, LinkUp, News, RelayUp, ToControls
from portineria.bus.nats_bus import NatsBus
from portineria.bus.nats_connection import PAYLOAD_BYTES
from portineria.bus.nkey import public_text
from tests.integration.bus.world import NORTH, SOUTH, Control, NatsWorld, controlling, relay
from tests.integration.nats_server import NatsServer
from tests.integration.process import eventually

LINKED = RelayUp(SOUTH, ["gw_a"])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[NatsWorld]:
    server = NatsServer(tmp_path / "nats", [NORTH, SOUTH])
    await server.start()
    yield NatsWorld(server)
    await server.process.end()


@pytest.fixture
async def control(world: NatsWorld) -> AsyncIterator[Control]:
    async with controlling(world) as control:
        yield control


@contextlib.asynccontextmanager
async def client(world: NatsWorld, key: Ed25519PrivateKey | None) -> AsyncIterator[Client]:
    """nats-py itself, without any of our manners."""
    made = Client()
    complaints: list[Exception] = []

    async def complain(error: Exception) -> None:
        complaints.append(error)

    def sign(nonce: str) -> bytes:
        assert key is not None
        return base64.b64encode(key.sign(nonce.encode()))

    if key is not None:
        made._public_nkey = public_text(key)
    try:
        await made.connect(
            world.server.url, allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0,
            signature_cb=sign if key else None, error_cb=complain,
        )  # fmt: skip
        yield made
    finally:
        await made.close()


def hostile(world: NatsWorld) -> contextlib.AbstractAsyncContextManager[Client]:
    return client(world, world.server.access(NORTH).key)


@pytest.mark.parametrize("key", [None, Ed25519PrivateKey.generate()], ids=["no key", "a key that nobody knows"])
async def test_whoever_has_no_account_is_refused(world: NatsWorld, key: Ed25519PrivateKey | None) -> None:
    with pytest.raises(Error, match="Authorization Violation"):
        async with client(world, key):
            pass


async def test_it_hears_nothing_but_what_is_for_it(control: Control, world: NatsWorld) -> None:
    stolen: list[str] = []

    async def steal(message: Msg) -> None:
        stolen.append(message.subject)

    async with relay(control, SOUTH, ["gw_a"]) as south, controlling_news(world) as tell:
        for subject in (
            ">", "*", "*.*.*", "relay.>", f"relay.{SOUTH}.down", f"relay.{SOUTH}.up", f"relay.{NORTH}.up", "news",
            "up", "_INBOX.>", "$SYS.>", "$SYS.REQ.USER.INFO", "$JS.API.>",
        ):  # fmt: skip
            async with hostile(world) as north:
                with contextlib.suppress(Error):
                    await north.subscribe(subject, cb=steal)
                    await north.flush()
                    assert control.bus.publish(SOUTH, CloseLegs("ses_a"))
                    assert south.end.publish(LinkDown(SOUTH, "gw_b"))
                    tell()
                    await eventually(lambda: south.heard, "the true one hears it")
                    await north.flush()
            south.heard.clear()
    assert stolen == []


@contextlib.asynccontextmanager
async def controlling_news(world: NatsWorld) -> AsyncIterator[Callable[[], None]]:
    bus = world.bus(None)
    await bus.open([])
    yield lambda: bus.tell(News("org_a", 1, "access.grant.revoked", "per_a"))
    await bus.close()


async def test_it_can_say_nothing_to_anybody_else(control: Control, world: NatsWorld) -> None:
    told: list[ToControls] = []
    listening = world.bus(None, told.append)
    await listening.open([])
    order = b"\x82\xa2is\xaaclose-legs\xa7session\xa5ses_a"
    greeting = Envelope(b"hostile!", 9, 0, TO_CONTROL.encode(RelayUp(SOUTH, ["gw_evil"]))).encode()
    async with relay(control, SOUTH, ["gw_a"]) as south:
        await eventually(lambda: LINKED in control.heard, "the true one")
        async with hostile(world) as north:
            for subject, said in (
                (f"relay.{SOUTH}.up", greeting), (f"relay.{NORTH}.up", greeting), (f"relay.{SOUTH}.down", order),
                ("down", order), ("news", NEWS.encode(News("org_a", 1, "x", "y"))), ("$SYS.REQ.SERVER.PING", b""),
                ("$JS.API.INFO", b""), ("$SYS.ACCOUNT.control.CONNS", b""),
            ):  # fmt: skip
                await north.publish(subject, said)
            await north.flush()
        before = len(control.heard)
        assert south.end.publish(LinkDown(SOUTH, "gw_b"))
        await eventually(lambda: LinkDown(SOUTH, "gw_b") in control.heard[before:], "what was said later")
        assert south.heard == []
        assert told == []
        assert {message.relay for message in control.heard} == {SOUTH}
        assert all(message in (LINKED, LinkDown(SOUTH, "gw_b")) for message in control.heard)
    await listening.close()


@pytest.mark.parametrize(
    "garbage", [b"", b"\0" * 23, b"\xff" * 24, b"\xff" * 5000, bytes(24) + b"\xc1", bytes(PAYLOAD_BYTES)],
    ids=["empty", "half a head", "a beat of nobody", "noise", "a greeting of nothing", "the longest nothing"],
)  # fmt: skip
async def test_garbage_is_its_own_trouble(control: Control, world: NatsWorld, garbage: bytes) -> None:
    async with relay(control, SOUTH, ["gw_a"]) as south:
        await eventually(lambda: LINKED in control.heard, "the true one")
        async with hostile(world) as north:
            for _ in range(20):
                await north.publish("up", garbage)
            await north.flush()
            assert south.end.publish(LinkDown(SOUTH, "gw_b"))
            await eventually(lambda: LinkDown(SOUTH, "gw_b") in control.heard, "the other goes on")
        assert RelayUp(SOUTH, []) not in control.heard
        assert NORTH not in control.bus.relays


async def test_what_is_too_long_does_not_pass_the_server(control: Control, world: NatsWorld) -> None:
    async with hostile(world) as north:
        north._max_payload = 64 << 20  # it does not keep to what the server told it
        await north.publish("up", bytes(PAYLOAD_BYTES + 1))
        await eventually(lambda: north.is_closed, "the server ends it")
    assert control.heard == []


async def test_a_flood_keeps_nobody_else_from_being_heard(control: Control, world: NatsWorld) -> None:
    """Of messages that are in order, as fast as it can, while the receiver is slow with each of its."""
    loop, slowest = asyncio.get_running_loop(), 0.0
    async with relay(control, SOUTH, ["gw_a"]) as south, hostile(world) as north:
        enough = asyncio.Event()
        flooding = asyncio.ensure_future(flood(north, enough))
        for number in range(30):
            began, said = loop.time(), LinkDown(SOUTH, f"gw_{number}")
            assert south.end.publish(said)
            await eventually(partial(_heard, control, said), "heard through the flood")
            slowest = max(slowest, loop.time() - began)
        assert SOUTH in control.bus.relays
        assert RelayUp(SOUTH, []) not in control.heard
        assert any(message.relay == NORTH for message in control.heard), "it was a flood"
        enough.set()
        await flooding
    print(f"slowest beside the flood: {slowest * 1000:.0f} ms")


async def test_whoever_says_more_than_a_relay_has_to_is_not_heard_on(control: Control, world: NatsWorld) -> None:
    linked = RelayUp(NORTH, ["gw_a"])
    async with hostile(world) as north:
        await eventually(partial(listens, control), "the control plane listens")
        while linked not in control.heard:  # said before the server knew of the listener, it is nobody's
            await north.publish("up", Envelope(b"hostile!", 1, 0, TO_CONTROL.encode(linked)).encode())
            await asyncio.sleep(0.05)
        for _ in range(70_000):
            await north.publish("up", Envelope(b"hostile!", 1, 1).encode())
        await eventually(lambda: control.heard[-1] == RelayUp(NORTH, []), "no more")


def listens(control: Control) -> bool:
    assert isinstance(control.bus, NatsBus)
    return control.bus._lines[NORTH]._connection is not None


def _heard(control: Control, said: LinkDown) -> bool:
    return said in control.heard[-5000:]


async def flood(north: Client, enough: asyncio.Event) -> None:
    """Ends by the event: nats-py swallows a cancellation."""
    talk = 0
    while not enough.is_set():
        talk += 1
        await north.publish("up", Envelope(b"hostile!", talk, 0, TO_CONTROL.encode(RelayUp(NORTH, []))).encode())
        for number in range(1, 5000):
            up = TO_CONTROL.encode(LinkUp(NORTH, f"gw_{number}", bytes(32), "192.0.2.1"))
            await north.publish("up", Envelope(b"hostile!", talk, number, up).encode())
        await asyncio.sleep(0)


async def test_connections_of_one_account_have_an_end(world: NatsWorld) -> None:
    """One, and those that a partition left until the server notices."""
    async with contextlib.AsyncExitStack() as many:
        for _ in range(4):
            await many.enter_async_context(hostile(world))
        with pytest.raises(Error, match="maximum account active connections"):
            await many.enter_async_context(hostile(world))
