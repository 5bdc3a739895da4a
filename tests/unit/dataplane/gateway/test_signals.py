# SPDX-License-Identifier: Apache-2.0
"""A file that hangs keeps no other signal from being read."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from portineria.dataplane.gateway.reach import ReachList
from portineria.dataplane.gateway.signal_sources import BadSignal, Files
from portineria.dataplane.gateway.signals import Signals
from portineria.wire.statement import ReadSignals, SignalSource


async def test_a_file_that_hangs_holds_one_thread_however_often_it_is_asked_for(tmp_path: Path) -> None:
    back, begun = threading.Event(), list[Path]()

    def hangs(path: Path) -> bool:
        begun.append(path)
        return back.wait(30)

    files, source = Files(tmp_path, hangs), SignalSource("sgn_a", "file", place="button")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await files.read(source)
    for _ in range(3):
        with pytest.raises(BadSignal, match="has not come back"):
            await files.read(source)
    assert begun == [tmp_path / "button"]
    back.set()
    async with asyncio.timeout(30):
        while len(begun) == 1:
            try:
                assert await files.read(source) is True
            except BadSignal:
                await asyncio.sleep(0.01)


async def test_files_are_read_side_by_side(tmp_path: Path) -> None:
    together = threading.Barrier(3)

    def waits(path: Path) -> bool:
        return together.wait(20) >= 0

    signals = Signals(tmp_path, ReachList(tmp_path / "reach.toml"), bytes(32), lambda told: None)
    signals._files = Files(tmp_path, waits)
    sources = [SignalSource(f"sgn_{name}", "file", place=name) for name in "abc"]
    values = await signals._values(ReadSignals("gw_a", bytes(32), 1, sources).signals)
    assert [value.on for value in values] == [True] * 3
