# SPDX-License-Identifier: Apache-2.0
import tracemalloc

import pytest

from portineria.core.ids import Kind, new_id
from portineria.dataplane.gateway import past
from portineria.dataplane.gateway.past import NOTICED_S, PAST_STREAMS, PastStream, PastStreams, UsedNames
from portineria.wire.stream import Ack, BadStream, End, FrameReader, Open, Refuse


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds since the machine started, as the test has them."""
    now = [1000.0]
    monkeypatch.setattr(past, "boot_s", lambda: now[0])
    return now


def test_a_finished_stream_is_answered_with_its_acknowledgement_and_its_end() -> None:
    frames = FrameReader().receive(memoryview(PastStream("finished", 7, 5).answer(received=5)))
    assert frames == [Open(7), Ack(8), End(7, 5)]


@pytest.mark.parametrize("received", [0, 4, 6])
def test_an_end_that_lies_about_what_it_received_is_not_answered(received: int) -> None:
    with pytest.raises(BadStream):
        PastStream("finished", 7, 5).answer(received)


def test_a_stream_that_ended_otherwise_is_refused_with_its_own_reason() -> None:
    assert FrameReader().receive(memoryview(PastStream("device.reset", 7, 5).answer(0))) == [Refuse("device.reset")]


def test_it_is_forgotten_after_the_hold_time(clock: list[float]) -> None:
    kept = PastStreams()
    kept.add("a", PastStream("finished"), hold_s=60)
    clock[0] += 60 + NOTICED_S - 1
    assert kept.find("a") == PastStream("finished")
    clock[0] += 1
    assert kept.find("a") is None
    kept.add("b", PastStream("finished"), hold_s=60)
    assert len(kept) == 1, "what nobody may ask for takes no place either"


def test_no_more_are_kept_than_the_limit(clock: list[float]) -> None:
    kept = PastStreams()
    for number in range(PAST_STREAMS + 10):
        kept.add(str(number), PastStream("finished", number), hold_s=3600)
    assert len(kept) == PAST_STREAMS
    assert kept.find("9") is None
    assert kept.find("10") == PastStream("finished", 10)


def test_the_oldest_names_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "USED_NAMES", 100)
    used = UsedNames()
    for number in range(101):
        used.add(str(number))
        used.add(str(number))
    assert [number for number in range(102) if str(number) not in used] == [0, 101]


def test_a_name_takes_little_memory() -> None:
    used, names = UsedNames(), [new_id(Kind.STREAM) for _ in range(1000)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for name in names:
        used.add(name)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert taken < 20_000
