# SPDX-License-Identifier: Apache-2.0
"""Elasticsearch and OpenSearch by the bulk API: every item is created once, under an id that says which event it is."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from portineria.sinks.elastic.message import message
from portineria.sinks.http import ADDRESS, TLS_SETTINGS, TOO_LARGE, Http, below
from portineria.sinks.kind import Away, Refused, SinkKind, Taken
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.record import encode
from portineria.sinks.setting import Setting, Shape

_THERE = 409  # such an id exists: it was taken before, and the answer was lost
_OF_THE_EVENT = 400  # a mapping that this document does not fit
_TYPE = re.compile(r"[a-z_]{1,64}")
SETTINGS = (ADDRESS, Setting("index", Shape.WORD), Setting("api_key", Shape.SECRET), *TLS_SETTINGS)


class _Elastic:
    def __init__(self, settings: Mapping[str, str]) -> None:
        self._address = below(settings["address"], f"{settings['index']}/_bulk")
        self._headers = {"Authorization": f"ApiKey {settings['api_key']}", "Content-Type": "application/x-ndjson"}
        self._http = Http(settings)

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        """NDJSON: for each event a line that says what to do, and its document; the last line ends too."""
        lines = (encode({"create": {"_id": event.key}}) + b"\n" + message(event) + b"\n" for event in events)
        answer = await self._http.post(self._address, b"".join(lines), self._headers)
        if answer.status == TOO_LARGE:
            raise Refused(f"HTTP {answer.status}")
        if not answer.good:
            raise answer.away()
        return _taken(_items(answer.body, len(events)))

    async def close(self) -> None:
        await self._http.close()


def _items(body: bytes, count: int) -> list[tuple[int, str]]:
    """Status and type of error of each. Raise Away: a 200 without them says nothing about any event."""
    try:
        found: Any = msgspec.json.decode(body)
        items = [(item["create"]["status"], item["create"].get("error") or {}) for item in found["items"]]
        read = [(int(status), str(error.get("type", ""))) for status, error in items]
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise Away("its answer names no items") from error
    if len(read) != count:
        raise Away(f"its answer names {len(read)} of {count} items")
    return read


def _taken(items: Sequence[tuple[int, str]]) -> Taken:
    """Up to the first that is to come again: those behind it come again too, and are there already."""
    refused = {}
    for place, (status, kind) in enumerate(items):
        if status == _OF_THE_EVENT:
            refused[place] = f"HTTP {status} {kind}" if _TYPE.fullmatch(kind) else f"HTTP {status}"
        elif not (200 <= status < 300 or status == _THERE):
            return Taken(place, refused, Away(f"HTTP {status} for an event"))
    return Taken(len(items), refused)


INFO = SinkKind("elastic", "Elasticsearch, OpenSearch (ECS)", SETTINGS, message, _Elastic)
