# SPDX-License-Identifier: Apache-2.0
"""Keeps freed buffers in the process instead of returning them to the kernel after each one.

A tunnel allocates and frees blocks of 128 to 512 KiB for every read; glibc would map and unmap such blocks one by one,
with a page fault for every 4 KiB (mallopt(3)). Measured on downloads of 2 GB, two series in turn: the gateway took 0.91
instead of 1.13 s of CPU per GB, with 24 instead of 130,000 page faults.

What a busy minute left behind goes back all together, seldom (decisions 131, 146).
"""

import asyncio
import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8
_ARENAS = 1  # malloc_trim leaves the end of every other heap as long as it ever was (decision 136)
_KEEP = 64 << 20  # at most so much stays when a burst is over; a gateway box has gigabytes
_BLOCK = 4 << 20  # larger than any buffer of ours
LOOK_S = 60.0


def return_freed_blocks() -> None:
    """Give the kernel what lies free anywhere in the heap; tens of milliseconds for half a GiB (malloc_trim(3))."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


def return_now_and_then(every_s: float) -> None:
    """While the running loop runs. Grown or not: after a burst a process frees without growing (decision 146)."""
    loop = asyncio.get_running_loop()

    def look() -> None:
        return_freed_blocks()
        loop.call_later(every_s, look)

    loop.call_later(every_s, look)


def keep_freed_blocks() -> bool:
    """Return whether the C library took it: only glibc knows these."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(
        (
            mallopt(_MMAP_THRESHOLD, _BLOCK),
            mallopt(_TRIM_THRESHOLD, _KEEP),
            mallopt(_TOP_PAD, _BLOCK),
            mallopt(_ARENA_MAX, _ARENAS),
        )
    )
