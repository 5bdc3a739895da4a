# SPDX-License-Identifier: Apache-2.0
"""What keeps this process from its work, in words that strangers may read: database, disk, sealer, bus."""

import shutil
from collections.abc import Callable

from django.db import DatabaseError, connection

from portineria.control.settings.start import current
from portineria.process.figures import Figure, Sample

FREE_BYTES = 64 << 20  # less, and the next migration, recording or key may find no room
CONDITION = Figure(
    "portineria_condition", "1 while it is as it should be (database, disk, sealer, bus), 0 while not.", ("what",)
)
STOPS_PAGES = frozenset({"database", "disk"})
_parts: dict[str, Callable[[], bool]] = {}


def attach(cause: str, good: Callable[[], bool]) -> None:
    """``good`` is asked from any thread, and answers at once."""
    _parts[cause] = good


def detach() -> None:
    _parts.clear()


def conditions() -> dict[str, bool]:
    """The database is asked once, within its own time; give its connection back afterwards."""
    return {"database": _database(), "disk": _disk(), **{cause: good() for cause, good in list(_parts.items())}}


def causes() -> list[str]:
    return [cause for cause, good in conditions().items() if not good]


def samples() -> list[Sample]:
    return [CONDITION.of(good, cause) for cause, good in conditions().items()]


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _disk() -> bool:
    try:
        return shutil.disk_usage(current().state).free >= FREE_BYTES
    except OSError:
        return False
