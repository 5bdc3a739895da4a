# SPDX-License-Identifier: Apache-2.0
"""Whether there is an installation in this state, before anything is asked of it."""

from pathlib import Path

from django.db import DatabaseError, connection

from portineria.control.identity.models import Installation
from portineria.control.settings.start import current
from portineria.control.tables import check_tables
from portineria.core.errors import Unavailable


class NotSetUp(Unavailable):
    code = "declaration.server"


def check_set_up() -> None:
    """Raise NotSetUp where ``portineria setup`` was never run, before anything is asked of its tables."""
    if connection.vendor == "sqlite" and not Path(connection.settings_dict["NAME"]).exists():
        raise NotSetUp(f"{current().state} is not set up; portineria setup does that")  # opening would make the file
    check_tables()
    try:
        made = Installation.objects.exists()
    except DatabaseError as error:
        raise NotSetUp(f"{current().state} is no server's state, or a locked one: {error}") from error
    if not made:
        raise NotSetUp(f"{current().state} is not set up; portineria setup does that")
