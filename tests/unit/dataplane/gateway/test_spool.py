# SPDX-License-Identifier: Apache-2.0
"""The chain of events, read as the control plane reads it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from portineria.dataplane.gateway.clock import TrustedClock
from portineria.dataplane.gateway.spool import SCHEMA, TEXT_CHARACTERS, Spool
from portineria.dataplane.gateway.store import Store
from portineria.wire.report import Context, Event, open_report, read_context
from portineria.wire.statement import Acknowledgement, OpeningKey, sha256

EVENT_KEY, OPENING_KEY = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
PUBLIC = OpeningKey("key_1", OPENING_KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


async def opened(path: Path) -> tuple[Spool, Store]:
    store = Store(path)
    store.open(SCHEMA)
    spool = Spool(
        store, gateway="gw_1", key=EVENT_KEY, opening_key=lambda: PUBLIC, clock=TrustedClock(answer_s=30),
        limit_bytes=100_000,
    )  # fmt: skip
    await spool.open()
    return spool, store


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    made, store = await opened(tmp_path / "spool.sqlite3")
    yield made
    await store.close()


async def chain(spool: Spool, after: int = 0) -> list[tuple[Context, Event, bytes]]:
    found = []
    for _, report in await spool.unsent(after, 1000):
        context, outer = read_context(report)
        event, exact = open_report(outer, key=OPENING_KEY, sender=EVENT_KEY.public_key())
        assert isinstance(event, Event)
        found.append((context, event, sha256(exact)))
    return found


async def test_each_event_names_the_one_before_it(spool: Spool) -> None:
    for number in range(5):
        assert await spool.record("stream.closed", "ses_1", stream=f"str_{number}") == number + 1
    previous = bytes(32)
    for number, (context, event, digest) in enumerate(await chain(spool)):
        assert (context.seq, context.prev_sha256, context.epoch) == (number + 1, previous, spool.epoch)
        assert (event.code, event.session, event.at_ms) == ("stream.closed", "ses_1", 0)
        previous = digest


async def test_the_chain_goes_on_after_everything_was_acknowledged_and_the_file_reopened(tmp_path: Path) -> None:
    spool, store = await opened(tmp_path / "spool.sqlite3")
    await spool.record("gateway.started")
    [(context, _, digest)] = await chain(spool)
    assert await spool.acknowledge(Acknowledgement("gw_1", context.epoch, 1, digest))
    assert (spool.count, spool.bytes, spool.acknowledged) == (0, 0, 1)
    await store.close()
    spool, store = await opened(tmp_path / "spool.sqlite3")
    assert await spool.record("gateway.started") == 2
    [(again, _, _)] = await chain(spool)
    assert (again.epoch, again.prev_sha256) == (context.epoch, digest)
    await store.close()


@pytest.mark.parametrize("fault", ["hash", "epoch", "number"])
async def test_an_acknowledgement_of_something_else_forgets_nothing(spool: Spool, fault: str) -> None:
    await spool.record("gateway.started")
    [(context, _, digest)] = await chain(spool)
    letter = Acknowledgement(
        "gw_1",
        bytes(32) if fault == "epoch" else context.epoch,
        2 if fault == "number" else 1,
        bytes(32) if fault == "hash" else digest,
    )
    assert not await spool.acknowledge(letter)
    assert spool.count == 1


async def test_an_acknowledgement_covers_what_came_before(spool: Spool) -> None:
    for _ in range(4):
        await spool.record("gateway.started")
    context, _, digest = (await chain(spool))[2]
    assert await spool.acknowledge(Acknowledgement("gw_1", context.epoch, context.seq, digest))
    assert [left.seq for left, _, _ in await chain(spool)] == [4]
    assert not await spool.acknowledge(Acknowledgement("gw_1", context.epoch, context.seq, digest))
    assert spool.count == 1


async def test_beyond_its_limit_a_spool_is_full(spool: Spool) -> None:
    while not spool.full:
        await spool.record("stream.refused", "ses_1", reason="x" * TEXT_CHARACTERS)
    assert spool.bytes >= 100_000
    assert await spool.record("session.ended", "ses_1", ending="cut") == spool.count, "how it ends is still written"


async def test_text_from_outside_cannot_make_an_event_too_long(spool: Spool) -> None:
    await spool.record("session.ended", "ses_1", reason="\U0001f40d" * 5000)
    [(_, event, _)] = await chain(spool)
    assert len(str(event.fields["reason"])) == TEXT_CHARACTERS
