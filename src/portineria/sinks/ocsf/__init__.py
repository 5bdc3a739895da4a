# SPDX-License-Identifier: Apache-2.0
"""OCSF over HTTPS: a batch is one request, an event a line of it."""

from collections.abc import Mapping, Sequence

from portineria.sinks.http import ADDRESS, TLS_SETTINGS, Http
from portineria.sinks.kind import Refused, SinkKind, Taken
from portineria.sinks.ocsf.message import message
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.setting import Setting, Shape

_NEVER = (400, 413, 422)
SETTINGS = (ADDRESS, Setting("token", Shape.SECRET, needed=False), *TLS_SETTINGS)


class _Lines:
    def __init__(self, settings: Mapping[str, str]) -> None:
        self._address, self._http = settings["address"], Http(settings)
        self._headers = {"Content-Type": "application/x-ndjson"}
        if settings["token"]:
            self._headers["Authorization"] = f"Bearer {settings['token']}"

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        body = b"".join(message(event) + b"\n" for event in events)
        answer = await self._http.post(self._address, body, self._headers)
        if answer.status in _NEVER:
            raise Refused(f"HTTP {answer.status}")
        if not answer.good:
            raise answer.away()
        return Taken(len(events))

    async def close(self) -> None:
        await self._http.close()


INFO = SinkKind("ocsf", "OCSF over HTTPS", SETTINGS, message, _Lines)
