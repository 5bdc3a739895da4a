# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

from django.core.management.commands import migrate

from portineria.control.new_tables import make_tables


class Migrate(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if not make_tables():
            super().handle(*args, **options)
