# SPDX-License-Identifier: Apache-2.0
"""Closes memberships that nobody uses or whose end has come, now and then. Nothing waits for it."""

import asyncio
from functools import partial

import structlog
from django.db import DatabaseError
from django.utils import timezone

from portineria.control.own_connection import given_back
from portineria.control.remote_sessions.unused import close_memberships_over, close_unused_memberships

log = structlog.get_logger()
LOOK_S = 600.0


async def keep_closing() -> None:
    """Until cancelled. What failed is tried again."""
    while True:
        try:
            for close in (close_memberships_over, close_unused_memberships):
                closed = await asyncio.to_thread(given_back(partial(close, timezone.now())))
                if closed:
                    log.info("memberships.closed", memberships=closed)
        except DatabaseError as error:
            log.warning("memberships.not-closed", why=str(error))
        await asyncio.sleep(LOOK_S)
