# SPDX-License-Identifier: Apache-2.0
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="run on a system with glibc")
# As a window of the tunnel: sixteen blocks are kept, then one acknowledgement lets all of them go.
PROGRAM = """
import resource
from portineria.process.memory import keep_freed_blocks
assert keep_freed_blocks()
def windows(count):
    for _ in range(count):
        [bytearray(1 << 18) for _ in range(16)]
windows(20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
windows(200)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_buffers_that_come_and_go_cost_no_page_faults() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1000
