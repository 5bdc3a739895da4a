# SPDX-License-Identifier: Apache-2.0
"""Keeps freed buffers in the process instead of returning them to the kernel after each one.

A tunnel allocates and frees blocks of 128 to 512 KiB for every read; glibc may map and unmap such blocks one by one,
with page faults for each (mallopt(3)). Paired runs on a shared machine differed by more than what this saves.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_KEEP = 64 << 20  # at most so much stays when a burst is over; a gateway box has gigabytes
_BLOCK = 4 << 20  # larger than any buffer of ours


def keep_freed_blocks() -> bool:
    """Return whether the C library took it: only glibc knows these."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all((mallopt(_MMAP_THRESHOLD, _BLOCK), mallopt(_TRIM_THRESHOLD, _KEEP), mallopt(_TOP_PAD, _BLOCK)))
