# SPDX-License-Identifier: Apache-2.0
"""What a process holds, as the kernel counts it."""

from pathlib import Path


def pss_bytes(pid: int) -> int:
    """Resident memory; a page shared with other processes counts in parts (proc_pid_smaps_rollup(5))."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no Pss of {pid}")
