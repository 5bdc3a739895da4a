# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest
from structlog.testing import capture_logs

from portineria.core.errors import Unavailable
from portineria.dataplane.aio.task import Tasks, both, until


class Away(Unavailable):
    code = "relay.away"


async def forever(seen: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        seen.append("ended")


async def fail(error: Exception) -> None:
    raise error


async def test_closing_waits_until_every_task_has_ended() -> None:
    tasks, seen = Tasks(), list[str]()
    for _ in range(3):
        tasks.spawn(forever(seen), "waiting")
    await asyncio.sleep(0)
    assert len(tasks) == 3
    await tasks.close()
    assert seen == ["ended"] * 3
    assert len(tasks) == 0


async def test_a_task_may_close_its_own_family() -> None:
    tasks, seen = Tasks(), list[str]()
    tasks.spawn(forever(seen), "waiting")
    await asyncio.sleep(0)
    await tasks.spawn(tasks.close(), "closing")
    assert seen == ["ended"]
    assert len(tasks) == 0


@pytest.mark.parametrize(
    ("error", "event", "level"), [(Away("later"), "task.failed", "warning"), (KeyError("x"), "task.broken", "error")]
)
async def test_a_failure_is_heard_with_its_name_and_code(error: Exception, event: str, level: str) -> None:
    tasks = Tasks()
    with capture_logs() as said:
        with pytest.raises(type(error)):
            await tasks.spawn(fail(error), "link gw_a")
        await tasks.close()
    [line] = said
    assert (line["event"], line["log_level"], line["task"]) == (event, level, "link gw_a")
    assert line.get("code") == getattr(error, "code", None)


async def test_of_two_a_failure_ends_the_other_and_comes_out_as_itself() -> None:
    seen: list[str] = []
    with pytest.raises(Away):
        await both(forever(seen), fail(Away("later")))
    assert seen == ["ended"]


async def test_two_that_end_well_are_both_waited_for() -> None:
    done: list[int] = []

    async def after(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        done.append(turns)

    await both(after(1), after(20))
    assert done == [1, 20]


async def test_who_is_cancelled_takes_both_along() -> None:
    seen: list[str] = []
    waiting = asyncio.ensure_future(both(forever(seen), forever(seen)))
    for _ in range(3):
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert seen == ["ended", "ended"]


async def test_a_condition_is_waited_for_and_its_absence_reported() -> None:
    turns = iter([False, False, True])
    assert await until(lambda: next(turns), timeout_s=30, step_s=0)
    assert not await until(lambda: False, timeout_s=0.01, step_s=0.001)
