# SPDX-License-Identifier: Apache-2.0
"""Closes memberships that nobody uses, now and then. Nothing waits for it."""

import asyncio

import structlog
from django.db import DatabaseError
from django.utils import timezone

from portineria.control.own_connection import given_back
from portineria.control.remote_sessions.unused import close_unused_memberships

log = structlog.get_logger()
LOOK_S = 600.0


async def keep_closing() -> None:
    """Until cancelled. What failed is tried again."""
    while True:
        try:
            closed = await asyncio.to_thread(given_back(lambda: close_unused_memberships(timezone.now())))
            if closed:
                log.info("memberships.closed", memberships=closed)
        except DatabaseError as error:
            log.warning("memberships.not-closed", why=str(error))
        await asyncio.sleep(LOOK_S)
