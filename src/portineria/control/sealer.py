# SPDX-License-Identifier: Apache-2.0
"""Signs for what was written, a moment after it was written. One per installation is enough; two do no harm."""

import asyncio
import time

import structlog
from django.db import DatabaseError, close_old_connections

from portineria.control.audit.sealing import seal, unsealed
from portineria.control.audit.services import BrokenChain
from portineria.control.identity.register import Seal
from portineria.core.errors import PortineriaError

log = structlog.get_logger()
_LATE_S = 30.0
SEAL_S = 1.0  # nothing waits longer than 5 s for its seal, with room for a busy database


class Sealer:
    def __init__(self) -> None:
        self._refused: dict[str, str] = {}  # said once, not every second
        self._able, self._looked = True, time.monotonic()

    @property
    def working(self) -> bool:
        """False while a register is not signed, or nothing was looked at for long. From any thread."""
        return self._able and not self._refused and time.monotonic() - self._looked < _LATE_S

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
            self._able = True
        except DatabaseError as error:
            log.warning("register.database", why=str(error))
        except PortineriaError as error:  # no key: an installation that is being set up, or a wrong master key
            self._able = False
            log.error("register.not-sealed", code=error.code, why=str(error))
        finally:
            self._looked = time.monotonic()
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
