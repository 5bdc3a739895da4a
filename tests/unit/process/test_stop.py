# SPDX-License-Identifier: Apache-2.0
import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from portineria.process.stop import Stopped, stop_signals, stoppable


async def told(number: signal.Signals) -> None:
    signal.raise_signal(number)
    await asyncio.Event().wait()


@contextmanager
def disposition(number: signal.Signals, handler: signal.Handlers) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_work_with_the_status_that_shells_expect(number: signal.Signals) -> None:
    with disposition(signal.SIGHUP, signal.SIG_DFL), pytest.raises(Stopped) as stopped:
        asyncio.run(stoppable(told(number)))
    assert stopped.value.status == 128 + number


def test_the_first_signal_counts_and_a_second_one_cancels_the_goodbye() -> None:
    ended = []

    async def work() -> None:
        try:
            await told(signal.SIGTERM)
        finally:
            try:
                await told(signal.SIGINT)
            finally:
                ended.append("goodbye")

    with pytest.raises(Stopped) as stopped:
        asyncio.run(stoppable(work()))
    assert (stopped.value.status, ended) == (143, ["goodbye"])


def test_work_that_ends_well_has_its_result_and_leaves_the_signals_as_they_were() -> None:
    async def work() -> str:
        return "done"

    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    assert asyncio.run(stoppable(work())) == "done"
    assert before == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]


def test_a_cancellation_of_another_kind_is_none_of_its_business() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(stoppable(work()))


def test_sigint_counts_also_where_a_script_had_it_ignored_and_sighup_does_not() -> None:
    with disposition(signal.SIGINT, signal.SIG_IGN), disposition(signal.SIGHUP, signal.SIG_IGN):
        assert stop_signals() == [signal.SIGTERM, signal.SIGINT]
    with disposition(signal.SIGHUP, signal.SIG_DFL):
        assert signal.SIGHUP in stop_signals()
