# SPDX-License-Identifier: Apache-2.0
"""A file that one process holds, with its number inside. The kernel lets go of it, however that process ends."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path


def take(lock: Path) -> int | None:
    """The descriptor that holds the lock, not handed to programs we start; None when another process holds it."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.truncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def holder(lock: Path) -> int | None:
    """The number that the last holder wrote; None where there is none to be read."""
    try:
        return int(lock.read_text())
    except (OSError, ValueError):
        return None


def held(lock: Path) -> bool:
    """Whether a running process holds it. Lets go at once, and makes no file where there is none."""
    with suppress(OSError):
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False
