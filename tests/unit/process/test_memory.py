# SPDX-License-Identifier: Apache-2.0
"""What the C library keeps of freed memory. In a process of its own: our settings are for good."""

import subprocess
import sys

import pytest

_PROGRAM = """
import os
from portineria.process.memory import keep_freed_blocks, return_freed_blocks

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

keep_freed_blocks()
blocks = [bytes(2000) for _ in range(100_000)]
kept = blocks[::500]  # scattered: the heap cannot simply shrink
full = resident()
del blocks
before = resident()
return_freed_blocks()
print(full, before, resident())
"""

_IN_THREADS = """
import os, threading
from portineria.process.memory import keep_freed_blocks, return_freed_blocks

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

keep_freed_blocks()
return_freed_blocks()
before, all_here, full = resident(), threading.Barrier(4), []

def busy():
    blocks = [bytes(2000) for _ in range(10_000)]
    all_here.wait(30)
    full.append(resident())
    all_here.wait(30)

threads = [threading.Thread(target=busy) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
return_freed_blocks()
print(before, min(full), resident())
"""

_MOMENTS = """
import asyncio, os
from portineria.process import memory
from portineria.process.loop import run

memory.LOOK_S = 0.02

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

async def busy():
    memory.return_freed_blocks()
    before = resident()
    parts = [[bytes(2000) for _ in range(10_000)] for _ in range(2)]
    kept = [part[::500] for part in parts]
    part_bytes = (resident() - before) / 2
    for left in (1, 0):  # the second is freed after a look that found it in use, and nothing was taken since
        parts.pop()
        async with asyncio.timeout(10):
            while resident() > before + (left + 0.5) * part_bytes:
                await asyncio.sleep(0.01)

for _ in range(2):  # the second burst finds the level of the first
    run(busy())
print("returned")
"""

_THREADS = """
import ctypes, threading
from portineria.process.memory import keep_freed_blocks

keep_freed_blocks()
libc, all_here = ctypes.CDLL(None), threading.Barrier(16)
libc.malloc.restype = ctypes.c_void_p

def take():
    libc.malloc(2000)
    all_here.wait(30)

threads = [threading.Thread(target=take) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc gives threads heaps of their own")
def test_threads_share_one_heap_however_many_there_are() -> None:
    """Each heap keeps what its threads freed, and of all but the first glibc never returns the end."""
    done = subprocess.run([sys.executable, "-c", _THREADS], capture_output=True, text=True, check=True)
    assert done.stdout.count("<heap nr=") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps and returns them so")
def test_what_a_busy_moment_left_goes_back_while_the_loop_runs() -> None:
    done = subprocess.run([sys.executable, "-c", _MOMENTS], capture_output=True, text=True, check=True)
    assert done.stdout == "returned\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps and returns them so")
def test_so_does_what_its_threads_left() -> None:
    done = subprocess.run([sys.executable, "-c", _IN_THREADS], capture_output=True, text=True, check=True)
    before, full, after = (int(number) for number in done.stdout.split())
    assert full > before + 60e6
    assert after < before + 6e6


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps and returns them so")
def test_what_a_crowd_left_behind_goes_back_to_the_kernel() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    full, before, after = (int(number) for number in done.stdout.split())
    assert before > 0.9 * full  # so it is without asking
    assert after < full / 2
