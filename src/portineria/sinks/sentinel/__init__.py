# SPDX-License-Identifier: Apache-2.0
"""Microsoft Sentinel by the Logs Ingestion API: an application's token, a data collection rule, a stream."""

import gzip
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from portineria.sinks.http import ADDRESS, TLS_SETTINGS, TOO_LARGE, UNAUTHORISED, Answer, Http, below
from portineria.sinks.kind import Away, Refused, SinkKind, Taken
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.sentinel.message import message
from portineria.sinks.setting import Setting, Shape

_CALL_BYTES = 1_000_000  # 1 MB of one call, before and after packing
_API = "2023-01-01"
_SCOPE = "https://monitor.azure.com//.default"
_NEVER = (400, TOO_LARGE)
SETTINGS = (
    ADDRESS,
    Setting("rule", Shape.WORD),
    Setting("stream", Shape.WORD),
    Setting("tenant", Shape.WORD),
    Setting("client", Shape.WORD),
    Setting("client_secret", Shape.SECRET),
    Setting("login", Shape.ADDRESS, default="https://login.microsoftonline.com"),
    *TLS_SETTINGS,
)


class _Sentinel:
    def __init__(self, settings: Mapping[str, str]) -> None:
        path = f"dataCollectionRules/{settings['rule']}/streams/{settings['stream']}?api-version={_API}"
        self._address = below(settings["address"], path)
        self._login = below(settings["login"], f"{settings['tenant']}/oauth2/v2.0/token")
        self._application = {
            "client_id": settings["client"], "client_secret": settings["client_secret"], "scope": _SCOPE,
            "grant_type": "client_credentials",
        }  # fmt: skip
        self._http, self._token = Http(settings), ""

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        """As many as one call holds; the others are asked for again."""
        rows, count = _fitting(events)
        answer = await self._posted(rows)
        if answer.status == UNAUTHORISED:  # a token lives for an hour; nobody's clock is needed to notice
            self._token = ""
            answer = await self._posted(rows)
        if answer.status in _NEVER:
            raise Refused(f"HTTP {answer.status}")
        if not answer.good:
            raise answer.away()
        return Taken(count)

    async def _posted(self, rows: bytes) -> Answer:
        if not self._token:
            self._token = await self._new_token()
        headers = {
            "Authorization": f"Bearer {self._token}", "Content-Type": "application/json", "Content-Encoding": "gzip",
        }  # fmt: skip
        return await self._http.post(self._address, gzip.compress(rows, 6, mtime=0), headers)

    async def _new_token(self) -> str:
        """Raise Away."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await self._http.post(self._login, urlencode(self._application).encode(), form)
        if not answer.good:
            raise Away(f"no token: HTTP {answer.status}", retry_after_s=answer.retry_after_s)
        try:
            found: Any = msgspec.json.decode(answer.body)
            token = str(found["access_token"])
        except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError) as error:
            raise Away("no token in the answer") from error
        if not (token.isascii() and token.isprintable()):
            raise Away("no token in the answer")
        return token

    async def close(self) -> None:
        await self._http.close()


def _fitting(events: Sequence[Outgoing]) -> tuple[bytes, int]:
    """The call, and how many events are in it: one at least."""
    rows, size = [message(events[0])], 2
    size += len(rows[0])
    for event in events[1:]:
        row = message(event)
        size += len(row) + 1
        if size > _CALL_BYTES:
            break
        rows.append(row)
    return b"[" + b",".join(rows) + b"]", len(rows)


INFO = SinkKind("sentinel", "Microsoft Sentinel", SETTINGS, message, _Sentinel)
