# SPDX-License-Identifier: Apache-2.0
"""Signs for what was written, a moment after it was written. One per installation is enough; two do no harm."""

import asyncio

import structlog
from django.db import DatabaseError, close_old_connections

from portineria.control.audit.sealing import seal, unsealed
from portineria.control.audit.services import BrokenChain
from portineria.control.identity.register import Seal
from portineria.core.errors import PortineriaError

log = structlog.get_logger()
SEAL_S = 1.0  # nothing waits longer than 5 s for its seal, with room for a busy database


class Sealer:
    def __init__(self) -> None:
        self._refused: dict[str, str] = {}  # said once, not every second

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.to_thread(self._round)
            await asyncio.sleep(SEAL_S)

    def _round(self) -> None:
        try:
            waiting = unsealed()
            for organisation in waiting:
                self._seal(organisation)
            self._refused = {name: why for name, why in self._refused.items() if name in waiting}
        except DatabaseError as error:
            log.warning("register.database", why=str(error))
        except PortineriaError as error:  # no key: an installation that is being set up, or a wrong master key
            log.error("register.not-sealed", code=error.code, why=str(error))
        finally:
            close_old_connections()

    def _seal(self, organisation: str) -> None:
        """What does not fit is not signed: the others are, and this one is an alarm."""
        try:
            while seal(organisation, Seal()):
                pass
        except BrokenChain as error:
            if self._refused.get(organisation) != str(error):
                self._refused[organisation] = str(error)
                log.error("register.not-sealed", organisation=organisation, code=error.code, why=str(error))
