# SPDX-License-Identifier: Apache-2.0
"""Splunk's HTTP Event Collector with indexer acknowledgement: an event counts when an index has it.

A token without that acknowledgement is refused: its *Success* only means that a queue in memory has the bytes.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from portineria.sinks.http import ADDRESS, TLS_SETTINGS, TOO_LARGE, Answer, Http, below
from portineria.sinks.kind import Away, Refused, SinkKind, Taken
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.setting import Setting, Shape
from portineria.sinks.splunk.message import message

ASK_S, ACKNOWLEDGED_S = 0.5, 60.0  # between two questions; until it has to be indexed
_OF_THE_EVENT = frozenset({5, 6, 12, 13, 15})  # no data, bad format, no event, blank event, bad indexed fields
SETTINGS = (ADDRESS, Setting("token", Shape.SECRET), Setting("index", Shape.WORD, needed=False), *TLS_SETTINGS)


class _Splunk:
    def __init__(self, settings: Mapping[str, str]) -> None:
        self._address, self._index = settings["address"], settings["index"]
        self._channel = str(uuid.uuid4())  # acknowledgements are counted within it
        self._headers = {
            "Authorization": f"Splunk {settings['token']}", "X-Splunk-Request-Channel": self._channel,
            "Content-Type": "application/json",
        }  # fmt: skip
        self._http = Http(settings)

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        body = b"\n".join(message(event, self._index) for event in events)
        answer = await self._http.post(below(self._address, "services/collector/event"), body, self._headers)
        await self._acknowledged(_ack_id(answer))
        return Taken(len(events))

    async def _acknowledged(self, number: int) -> None:
        """Raise Away: then the batch is sent again, and may be there twice."""
        address = below(self._address, f"services/collector/ack?channel={self._channel}")
        question = msgspec.json.encode({"acks": [number]})
        try:
            async with asyncio.timeout(ACKNOWLEDGED_S):
                while True:
                    if _acked(await self._http.post(address, question, self._headers), number):
                        return
                    await asyncio.sleep(ASK_S)
        except TimeoutError as error:
            raise Away(f"not indexed within {ACKNOWLEDGED_S:.0f} s") from error

    async def close(self) -> None:
        await self._http.close()


def _content(answer: Answer) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _ack_id(answer: Answer) -> int:
    """Raise Refused, Away."""
    content = _content(answer)
    code = content.get("code")
    if answer.status == TOO_LARGE or code in _OF_THE_EVENT:
        raise Refused(f"HTTP {answer.status}, code {code}" if code in _OF_THE_EVENT else f"HTTP {answer.status}")
    if not answer.good:
        raise answer.away()
    if code != 0:
        raise Away(f"HTTP {answer.status}, code {code if isinstance(code, int) else 'missing'}")
    number = content.get("ackId")
    if not isinstance(number, int) or isinstance(number, bool):
        raise Away("this token has no indexer acknowledgement")
    return number


def _acked(answer: Answer, number: int) -> bool:
    if not answer.good:
        raise answer.away()
    acks = _content(answer).get("acks")
    return isinstance(acks, dict) and acks.get(str(number)) is True


INFO = SinkKind("splunk", "Splunk HTTP Event Collector", SETTINGS, message, _Splunk)
