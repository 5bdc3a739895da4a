# SPDX-License-Identifier: Apache-2.0
"""Calls that block beside the loop, and the process that may end before they do."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from portineria.dataplane.aio.thread import in_thread
from portineria.demo.namespace import Kind, available

ENDS_S = 60  # what blocks below blocks for longer
LOOPS = ["uvloop.run", "asyncio.run"]
HANGING = """
import asyncio, time, uvloop
from portineria.dataplane.aio.thread import in_thread

async def give_up():
    try:
        async with asyncio.timeout(0.1):
            await in_thread(lambda: time.sleep(1000))
    except TimeoutError:
        print("gave up")

{run}(give_up())
"""
RESOLVING = """
import asyncio, socket, uvloop
from portineria.dataplane.aio.dial import dial

silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))

async def give_up():
    dialling = asyncio.get_running_loop().create_task(dial("relay.example", 443))
    await asyncio.get_running_loop().run_in_executor(None, silent.recv, 512)  # it asks
    dialling.cancel()
    print("gave up")

{run}(give_up())
"""
ALONE = "ip link set lo up && mount --bind {resolver} /etc/resolv.conf && exec {python} {program}"


async def test_what_the_call_returns_or_raises_comes_back() -> None:
    assert await in_thread(lambda: sum([1, 2])) == 3
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


async def test_whoever_gives_up_is_not_told_any_more() -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()
    waiting = loop.create_task(in_thread(lambda: asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    assert await in_thread(lambda: "the next one") == "the next one"


@pytest.mark.parametrize("run", LOOPS)
def test_the_end_of_the_process_waits_for_no_call(run: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGING.format(run=run)], capture_output=True, text=True, timeout=ENDS_S, check=True
    )
    assert done.stdout == "gave up\n"


@pytest.mark.parametrize("run", LOOPS)
def test_the_end_of_the_process_waits_for_no_resolver(tmp_path: Path, run: str) -> None:
    """As on a computer that has left the network its names came from."""
    if available().kind is Kind.NONE:
        pytest.skip(f"no network namespaces: {available().reason}")
    resolver, program = tmp_path / "resolv.conf", tmp_path / "program.py"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:5\n")
    program.write_text(RESOLVING.format(run=run))
    alone = ALONE.format(resolver=resolver, python=sys.executable, program=program)
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c", alone], capture_output=True, text=True,
        timeout=ENDS_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "gave up\n"), done.stderr
