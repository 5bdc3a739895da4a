# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest

from portineria.process.metrics import LoopStuck, Telling, listen, of_loop
from portineria.process.settings import BadSettings


async def test_without_an_address_nothing_listens() -> None:
    assert listen("", Telling("test", list, list)) is None


@pytest.mark.parametrize("address", ["9464", "localhost:9464", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536"])
async def test_an_address_that_is_none_is_refused_at_start(address: str) -> None:
    with pytest.raises(BadSettings, match=r"is not ADDRESS:PORT, like 127\.0\.0\.1:9464"):
        listen(address, Telling("test", list, list))


@pytest.mark.parametrize("address", ["0.0.0.0:9464", "[::]:9464", "192.0.2.7:9464"])
async def test_a_gateway_tells_its_figures_on_loopback_only(address: str) -> None:
    with pytest.raises(BadSettings, match="is not loopback"):
        listen(address, Telling("gateway", list, list), anywhere=False)


def test_a_loop_that_ended_is_noticed() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(LoopStuck):
        of_loop(loop, list)
