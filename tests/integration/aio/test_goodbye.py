# SPDX-License-Identifier: Apache-2.0
"""Two legs of the relay that say goodbye to their outer layers at the same time."""

import asyncio

import pytest

from portineria.core.errors import ProtocolError
from portineria.dataplane.relay.pair import LegPair
from portineria.dataplane.relay.pump import PipePool
from tests.integration.aio.ends import Installation, tcp_pair
from tests.integration.aio.test_outer import shaken


async def test_an_end_that_leaves_during_the_goodbye_leaves_nobody_waiting_for_the_other(ours: Installation) -> None:
    with tcp_pair() as one, tcp_pair() as two:
        connector, first = await shaken(ours, one)
        gateway, second = await shaken(ours, two)
        before = asyncio.all_tasks()
        running = asyncio.ensure_future(LegPair("ses_a", first, second, nested=False).run(PipePool(2)))
        await asyncio.gather(connector.receive(), gateway.receive())  # Go: both goodbyes are awaited now
        connector.abort()
        with pytest.raises((OSError, ProtocolError)):
            await running
        assert asyncio.all_tasks() <= before
        gateway.abort()
