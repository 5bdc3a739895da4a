# SPDX-License-Identifier: Apache-2.0
"""What a process holds, as the kernel counts it (proc_pid_smaps_rollup(5))."""

from pathlib import Path


def pss_bytes(pid: int) -> int:
    """Resident memory; a page shared with other processes counts in parts. So it changes when others come and go."""
    return _counted(pid, "Pss")


def own_bytes(pid: int) -> int:
    """What it allocated or wrote itself: neither files nor what others do are in it."""
    return _counted(pid, "Anonymous") + _counted(pid, "Swap")


def _counted(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no {name} of {pid}")
