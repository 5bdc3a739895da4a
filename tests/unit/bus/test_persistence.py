# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import contextlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.bus.nats_access import NatsAccess
from portineria.bus.nats_connection import Connection
from portineria.bus.persistence import for_ever


async def test_a_conversation_that_swallows_the_cancellation_is_the_last_one() -> None:
    """As nats-py does while it closes: the task was told once to end, and nobody says it again."""
    begun = [asyncio.Event(), asyncio.Event()]
    turns = iter(begun)

    async def converse() -> None:
        next(turns).set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    task = asyncio.create_task(for_ever(converse))
    await begun[0].wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done == {task}
    assert task.cancelled()
    assert not begun[1].is_set()


async def test_a_wait_for_the_end_of_a_connection_heeds_what_connecting_swallowed() -> None:
    access = NatsAccess("nats://127.0.0.1:1", Ed25519PrivateKey.generate())
    begun = asyncio.Event()

    async def converse() -> None:
        connection = Connection(access, beat_s=60)
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await connection.ended(within_s=60)

    task = asyncio.create_task(converse())
    await begun.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done == {task}
    assert task.cancelled()
