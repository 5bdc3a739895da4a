# SPDX-License-Identifier: Apache-2.0
"""Files of a sink: whole lines in order, bounded, inside their folder whatever stands there."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from portineria.core.errors import Invalid
from portineria.sinks.catalogue import kind_of
from portineria.sinks.file.message import WRITERS
from portineria.sinks.file.rotation import Rotation
from portineria.sinks.kind import FOLDER, Away, Sender, Taken
from portineria.sinks.setting import BadSetting, cleaned
from tests.unit.sinks.events import outgoing
from tests.unit.sinks.readers import READERS

ORGANISATION = outgoing().organisation
LINE = b"x" * 99 + b"\n"


def opened(folder: Path | str, **changed: str) -> Sender:
    kind = kind_of("file")
    assert kind is not None
    return kind.open({**cleaned(kind.settings, {"file": "soc", **changed}), FOLDER: str(folder)})


def kept(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.log"))}


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Beyond it the system takes a part of what is written, then nothing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("form", WRITERS)
async def test_events_are_lines_in_order_in_every_format(tmp_path: Path, form: str) -> None:
    sender = opened(tmp_path, format=form)
    events = [outgoing("operation.refused", seq, targets="a\r\nb\u2028c") for seq in (1, 2, 3)]
    assert await sender.send(events[:2]) == Taken(2)
    assert await sender.send(events[2:]) == Taken(1)
    await sender.close()
    [content] = kept(tmp_path / ORGANISATION).values()
    assert content.splitlines(keepends=True) == [WRITERS[form](event) + b"\n" for event in events]
    if form == "ocsf":
        assert READERS["file"](content.splitlines()[0]) == {"targets": "a\ufffd\ufffdb\ufffdc"}
    assert (tmp_path / ORGANISATION / "soc-000001.log").stat().st_mode & 0o007 == 0


def test_files_grow_to_their_size_and_the_oldest_goes(tmp_path: Path) -> None:
    for _ in range(12):  # opened anew each time, as after a restart
        rotation = Rotation(tmp_path, "soc", most_bytes=250, most_files=3)
        rotation.append(ORGANISATION, LINE)
        rotation.close()
    folder = tmp_path / ORGANISATION
    assert {name: len(content) for name, content in kept(folder).items()} == {
        "soc-000004.log": 200, "soc-000005.log": 200, "soc-000006.log": 200,
    }  # fmt: skip
    (folder / "soc-other-000009.log").write_bytes(b"of another sink\n")
    rotation = Rotation(tmp_path, "soc", most_bytes=250, most_files=3)
    rotation.append(ORGANISATION, LINE * 5)  # a batch that is larger than a file is not torn
    rotation.close()
    assert [*kept(folder)] == ["soc-000005.log", "soc-000006.log", "soc-000007.log", "soc-other-000009.log"]
    assert kept(folder)["soc-000007.log"] == LINE * 5


def test_half_a_line_stays_neither_after_a_crash_nor_on_a_full_disk(tmp_path: Path) -> None:
    rotation = Rotation(tmp_path, "soc", most_bytes=1 << 20, most_files=3)
    rotation.append(ORGANISATION, LINE)
    file = tmp_path / ORGANISATION / "soc-000001.log"
    with largest_file(150), pytest.raises(Away, match="File too large"):
        rotation.append(ORGANISATION, LINE * 2)
    assert file.read_bytes() == LINE
    rotation.append(ORGANISATION, LINE)
    rotation.close()
    with file.open("ab") as crashed:
        crashed.write(b"y" * 200_000)
    rotation.append(ORGANISATION, LINE)
    rotation.close()
    assert file.read_bytes() == LINE * 3


@pytest.mark.parametrize("name", ["../soc", "a/b", ".soc", "..", "/etc/x", "a\0b", "", "so c", "x" * 129])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSetting):
        opened(tmp_path, file=name)


def test_no_link_is_followed_and_nobody_types_the_folder(tmp_path: Path) -> None:
    outside, top = tmp_path / "outside", tmp_path / "top"
    outside.mkdir()
    top.mkdir()
    (outside / "precious").write_bytes(b"kept")
    (top / ORGANISATION).symlink_to(outside)
    with pytest.raises(Away):
        Rotation(top, "soc", 1000, 3).append(ORGANISATION, LINE)
    (top / ORGANISATION).unlink()
    (top / ORGANISATION).mkdir()
    (top / ORGANISATION / "soc-000001.log").symlink_to(outside / "precious")
    with pytest.raises(Away, match="link"):
        Rotation(top, "soc", 1000, 3).append(ORGANISATION, LINE)
    assert kept(outside) == {}
    assert (outside / "precious").read_bytes() == b"kept"
    kind = kind_of("file")
    assert kind is not None
    with pytest.raises(BadSetting):
        cleaned(kind.settings, {"file": "soc", FOLDER: "/"})


async def test_two_never_write_the_same_files_and_organisations_never_meet(tmp_path: Path) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    await one.send([outgoing()])
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Away, match="another sink"):
        await two.send([outgoing()])
    assert len(os.listdir("/proc/self/fd")) == before
    await one.close()
    assert await two.send([outgoing("access.grant.given", 8)]) == Taken(1)
    await two.close()
    [content] = kept(tmp_path / ORGANISATION).values()
    assert [json.loads(line)["metadata"]["sequence"] for line in content.splitlines()] == [7, 8]
    strange = opened(tmp_path)
    with pytest.raises(Invalid):
        await strange.send([replace(outgoing(), organisation="../elsewhere")])
    assert os.listdir(tmp_path) == [ORGANISATION]


def in_threads() -> int:
    return sum(thread.name == "sink" for thread in threading.enumerate())


async def test_a_disk_that_hangs_stops_nothing_but_its_own_files(tmp_path: Path) -> None:
    """A pipe that nobody reads takes 64 KiB, and then lets whoever writes to it wait as such a disk does."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    folder = tmp_path / ORGANISATION
    folder.mkdir()
    os.mkfifo(folder / "soc-000001.log")
    events = [outgoing("operation.refused", seq, targets="x" * 500) for seq in range(200)]
    hangs = opened(tmp_path)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await hangs.send(events)
    async with asyncio.timeout(30):
        await hangs.close()
        assert await asyncio.to_thread(len, events) == 200  # whoever needs a thread meanwhile has one
    again = opened(tmp_path)
    threads = in_threads()
    with pytest.raises(Away, match="earlier attempt"):
        await again.send(events)
    assert in_threads() == threads
    await again.close()
    pipe = os.open(folder / "soc-000001.log", os.O_RDONLY)
    (folder / "soc-000001.log").unlink()
    async with asyncio.timeout(30):
        while in_threads():  # it comes back: who hung ends, and whoever waited to close it
            await asyncio.to_thread(os.read, pipe, 1 << 20)
    os.close(pipe)
    assert await again.send(events) == Taken(200)
    await again.close()
