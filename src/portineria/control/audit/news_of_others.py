# SPDX-License-Identifier: Apache-2.0
"""What another process wrote and nobody told us: the command line has no bus, and a bus may lose what it carries."""

import asyncio

import structlog
from django.db import DatabaseError, close_old_connections

from portineria.control.audit import news
from portineria.control.audit.queries import heads, news_since

log = structlog.get_logger()
_LOOK_S = 1.0


class NewsOfOthers:
    """For a process whose pages are open. Hearing some twice does no harm: a page asks again what there is."""

    def __init__(self) -> None:
        self._heads: dict[str, int] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.to_thread(self._look)
            await asyncio.sleep(_LOOK_S)

    def _look(self) -> None:
        try:
            if self._heads is None:
                self._heads = heads()
            for item in news_since(self._heads):
                news.show(item)
                self._heads[item.organisation] = max(item.seq, self._heads.get(item.organisation, 0))
        except DatabaseError as error:
            log.warning("news.database", why=str(error))
        finally:
            close_old_connections()
