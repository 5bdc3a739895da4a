# SPDX-License-Identifier: Apache-2.0
"""Webhooks, signed as Standard Webhooks wants it: each event is a request of its own, in order."""

import time
from collections.abc import Mapping, Sequence

from portineria.sinks.http import ADDRESS, TLS_SETTINGS, Http
from portineria.sinks.kind import Away, Refused, SinkKind, Taken
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.setting import Setting, Shape
from portineria.sinks.webhook.message import headers, message, secret_of

_NEVER = (400, 413, 422)  # these bytes, however often they come
SETTINGS = (ADDRESS, Setting("secret", Shape.SECRET), *TLS_SETTINGS)


class _Webhook:
    def __init__(self, settings: Mapping[str, str]) -> None:
        self._address, self._secret = settings["address"], secret_of(settings["secret"])
        self._http = Http(settings)

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        for place, event in enumerate(events):
            try:
                await self._post(event)
            except (Away, Refused) as error:
                if not place:
                    raise
                return Taken(place, away=error if isinstance(error, Away) else None)
        return Taken(len(events))

    async def _post(self, event: Outgoing) -> None:
        body = message(event)
        answer = await self._http.post(self._address, body, headers(self._secret, event.key, int(time.time()), body))
        if answer.status in _NEVER:
            raise Refused(f"HTTP {answer.status}")
        if not answer.good:
            raise answer.away()

    async def close(self) -> None:
        await self._http.close()


INFO = SinkKind("webhook", "Webhook (Standard Webhooks)", SETTINGS, message, _Webhook, most_events=50)
