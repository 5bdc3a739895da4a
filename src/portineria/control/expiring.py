# SPDX-License-Identifier: Apache-2.0
"""Deletes recordings whose time is over, now and then. Nothing waits for it."""

import asyncio

import structlog
from django.db import DatabaseError
from django.utils import timezone

from portineria.control.own_connection import given_back
from portineria.control.recording_store import StoreAway
from portineria.control.remote_sessions.retention import delete_expired

log = structlog.get_logger()
LOOK_S = 60.0


async def keep_deleting() -> None:
    """Until cancelled. What cannot be deleted now is tried again."""
    while True:
        try:
            deleted = await asyncio.to_thread(given_back(lambda: delete_expired(timezone.now())))
            if deleted:
                log.info("recordings.deleted", recordings=deleted)
        except (DatabaseError, StoreAway) as error:
            log.warning("recordings.not-deleted", why=str(error))
        await asyncio.sleep(LOOK_S)
