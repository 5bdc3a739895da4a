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


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps and returns them so")
def test_what_a_crowd_left_behind_goes_back_to_the_kernel() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    full, before, after = (int(number) for number in done.stdout.split())
    assert before > 0.9 * full  # so it is without asking
    assert after < full / 2
