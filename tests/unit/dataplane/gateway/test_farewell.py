# SPDX-License-Identifier: Apache-2.0
import asyncio

from portineria.dataplane.gateway.farewell import FAREWELLS, Farewell, Farewells
from portineria.dataplane.gateway.past import PastStream, PastStreams


def farewell(*streams: str) -> Farewell:
    past = PastStreams()
    for stream in streams:
        past.add(stream, PastStream("finished"), hold_s=60)
    return Farewell(past, {b"order"}, hello_s=5)


async def test_a_session_without_past_streams_leaves_nothing_behind() -> None:
    kept = Farewells()
    kept.add(b"key", farewell(), kept_s=60)
    assert kept.find(b"key") is None


async def test_as_many_as_fit_are_kept_and_the_oldest_goes_first() -> None:
    kept = Farewells()
    for number in range(FAREWELLS + 1):
        kept.add(number.to_bytes(2, "big"), farewell("str_1"), kept_s=60)
    assert len(kept) == FAREWELLS
    assert kept.find((0).to_bytes(2, "big")) is None
    assert kept.find((1).to_bytes(2, "big")) is not None


async def test_after_its_time_it_is_forgotten() -> None:
    kept = Farewells()
    kept.add(b"key", farewell("str_1"), kept_s=0)
    await asyncio.sleep(0.001)
    assert kept.find(b"key") is None
