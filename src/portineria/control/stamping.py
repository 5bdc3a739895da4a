# SPDX-License-Identifier: Apache-2.0
"""Has checkpoints stamped by a time-stamping authority (RFC 3161) now and then. Nothing waits for it."""

import asyncio
import ssl
from datetime import datetime, timedelta
from functools import partial

import structlog
from cryptography import x509
from django.db import DatabaseError
from django.utils import timezone

from portineria.control.audit import stamping
from portineria.control.audit.models import Checkpoint
from portineria.control.own_connection import given_back
from portineria.control.settings.server import ServerSettings
from portineria.control.witness_client import WitnessAway, post
from portineria.ledger.checkpoint import read_checkpoint
from portineria.ledger.timestamp import BadStamp, check_library, read_authorities, stamped_at, write_request
from portineria.process.settings import BadSettings

log = structlog.get_logger()
LOOK_S = 30.0
_LONGEST = timedelta(hours=1)  # between two attempts while the authority is away


class Stamping:
    def __init__(self, settings: ServerSettings) -> None:
        """Raise BadSettings, NoLibrary."""
        check_library()
        self._url, self._every = settings.timestamp_url, timedelta(minutes=settings.timestamp_every_min)
        self._authorities = _authorities(settings)
        self._tls = ssl.create_default_context()
        self._failures, self._not_before = 0, datetime.min.replace(tzinfo=timezone.get_default_timezone())

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.round()
            await asyncio.sleep(LOOK_S)

    async def round(self) -> None:
        at = timezone.now()
        if at < self._not_before:
            return
        try:
            for checkpoint in await asyncio.to_thread(given_back(partial(stamping.due, self._every, at))):
                await self._stamp(checkpoint)
            self._failures = 0
        except DatabaseError as error:
            log.warning("register.database", why=str(error))
        except (WitnessAway, BadStamp) as error:
            self._failures += 1
            self._not_before = at + min(_LONGEST, timedelta(seconds=LOOK_S * 2 ** min(self._failures, 10)))
            log.warning("register.not-stamped", code=error.code, why=str(error), failures=self._failures)

    async def _stamp(self, checkpoint: Checkpoint) -> None:
        """What the authority answers is verified before it is kept: a stamp nobody can check is none."""
        text = read_checkpoint(checkpoint.note)[0].text
        asked = write_request(text)
        status, stamp = await post(self._url, asked, content_type="application/timestamp-query", tls=self._tls)
        if status != 200:
            raise BadStamp(f"the authority answered {status}")
        stamped_at(text, stamp, self._authorities)
        await asyncio.to_thread(given_back(partial(stamping.keep, checkpoint, stamp, timezone.now())))


def _authorities(settings: ServerSettings) -> list[x509.Certificate]:
    if settings.timestamp_authorities is None:
        raise BadSettings("timestamp_url needs timestamp_authorities: the PEM file of who vouches for the authority")
    try:
        return read_authorities(settings.timestamp_authorities.read_bytes())
    except (OSError, BadStamp) as error:
        raise BadSettings(f"timestamp_authorities: {error}") from error


async def keep_stamped(settings: ServerSettings) -> None:
    """For ever, with whatever authority there is. Raise BadSettings, NoLibrary."""
    if settings.timestamp_url:
        await Stamping(settings).run()
    await asyncio.get_running_loop().create_future()  # there is none
