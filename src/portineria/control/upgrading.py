# SPDX-License-Identifier: Apache-2.0
"""`portineria upgrade`: an older version's database brought to this one, with a way back that was made before."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from django.db import connection, transaction

from portineria import __version__
from portineria.control import tables
from portineria.control.administration import Verified, verify_ledger
from portineria.control.audit.services import record
from portineria.control.backing_up import Made, Progress, back_up
from portineria.control.identity.authority import Operator
from portineria.control.identity.models import Installation
from portineria.control.settings.master_key import master_key
from portineria.control.settings.start import current
from portineria.core.errors import Unavailable


class NoRoom(Unavailable):
    code = "upgrade.room"


def waiting() -> list[str]:
    """What this version changes in the tables. Raise DatabaseAway, DatabaseNewer, NoMasterKey, NoRoom."""
    tables.check_tables()
    master_key()
    changes = tables.pending()
    if changes:
        _check_room()
    return changes


def _check_room() -> None:
    """SQLite copies each table that it changes and keeps the old pages meanwhile; the backup is a copy too."""
    if connection.vendor == "postgresql":
        return  # its disk is its administrator's, and may be another machine's
    database = Path(str(connection.settings_dict["NAME"]))
    needed, free = 2 * database.stat().st_size, shutil.disk_usage(current().state).free
    if free < needed:
        raise NoRoom(
            f"{current().state} has {free >> 20} MiB left, and this needs {(needed >> 20) + 1}; nothing was changed. "
            "Make room, or move the state folder to a larger disk"
        )


def keep(path: Path, recipients: Sequence[str], progress: Progress) -> Made:
    """The way back. Recordings are not touched by an upgrade, and stay where they are."""
    return back_up(path, recipients, recordings=False, progress=progress)


def bring(changes: Sequence[str]) -> list[Verified]:
    """Raise MigrationWaited: each change is whole or not done, and the next attempt goes on.

    Only the tables: files for browsers, new kinds of keys and relays are made by the next start, as always.
    """
    tables.bring_up_to_date()
    with transaction.atomic():
        record(
            "identity.installation.upgraded", organisation=Installation.objects.get(pk=1).public_id,
            actor=Operator().public_id, version=__version__, changes=len(changes),
        )  # fmt: skip
    return list(verify_ledger())
