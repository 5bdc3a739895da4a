# SPDX-License-Identifier: Apache-2.0
"""Any other system that keeps tickets behind a REST API with JSON: a mapping says where things stand."""

from collections.abc import Mapping
from urllib.parse import quote

from portineria.sinks.http import ADDRESS, NOT_FOUND, TLS_SETTINGS, Answer, Http, below
from portineria.sinks.kind import Away, Refused, Sender, SinkKind
from portineria.sinks.record import encode
from portineria.sinks.setting import BadSetting, Setting, Shape
from portineria.sinks.ticket import Ticket, is_number
from portineria.sinks.ticketing import SETTINGS as TICKETING
from portineria.sinks.ticketing import TAKES_NONE, Opening, Tickets, at, decoded, required, text_at, texts
from portineria.sinks.tickets.mapping import NUMBER, Mapped, mapped, placed
from portineria.sinks.tickets.message import message

_OWN = tuple(one for one in TICKETING if one.name not in ("machine_field", "supplier_field"))  # the mapping says them
SETTINGS = (ADDRESS, Setting("token", Shape.SECRET), Setting("mapping", Shape.MAPPING), *_OWN, *TLS_SETTINGS)


class _Tickets:
    def __init__(self, settings: Mapping[str, str], mapping: Mapped) -> None:
        self._settings, self._http, self._mapping = settings, Http(settings), mapping

    async def find(self, number: str) -> Ticket | None:
        if not is_number(number):
            return None
        where = self._mapping.find
        answer = await self._said("GET", where.path.replace(NUMBER, number))
        if answer.status == NOT_FOUND:
            return None
        content = decoded(required(answer))
        if at(content, where.number) is None:
            raise Away("its answer has no number where the mapping says")
        machines, suppliers = (
            texts(at(content, place)) if place else None for place in (where.machines, where.suppliers)
        )
        return Ticket(text_at(content, where.number), text_at(content, where.state), machines, suppliers)

    async def comment(self, number: str, text: str) -> None:
        where = self._mapping.comment
        if where is None:
            raise Refused("the mapping says nothing of comments")
        required(await self._said(where.method, where.path.replace(NUMBER, number), {where.text: text}), TAKES_NONE)

    async def has(self, key: str) -> bool:
        where = self._mapping.open
        if where is None:
            raise Refused("the mapping says nothing of new tickets")
        path = where.search.replace(NUMBER, quote(key, safe=""))
        found = at(decoded(required(await self._said("GET", path))), where.found)
        if not isinstance(found, list):
            raise Away("its answer has no list where the mapping says")
        return bool(found)

    async def open(self, key: str, title: str, text: str) -> None:
        where = self._mapping.open
        if where is None:
            raise Refused("the mapping says nothing of new tickets")
        given = {**where.fixed, where.title: title, where.text: text, where.key: key}
        required(await self._said("POST", where.path, given))

    async def _said(self, method: str, path: str, given: Mapping[str, str] | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {self._settings['token']}", "Content-Type": "application/json"}
        content = encode(placed(given)) if given is not None else b""
        return await self._http.ask(method, below(self._settings["address"], path), headers, content)

    async def close(self) -> None:
        await self._http.close()


def _tickets(settings: Mapping[str, str]) -> Tickets:
    """Raise BadSetting."""
    mapping = mapped(settings["mapping"])
    if mapping.comment is not None:
        placed({mapping.comment.text: ""})
    if (new := mapping.open) is not None:
        placed({**new.fixed, new.title: "", new.text: "", new.key: ""})
    elif settings["opens"] == "chosen":
        raise BadSetting("mapping", "says nothing of new tickets")
    return _Tickets(settings, mapping)


def _sender(settings: Mapping[str, str]) -> Sender:
    return Opening(_tickets(settings), settings)


INFO = SinkKind("tickets", "Tickets over REST", SETTINGS, message, _sender, most_events=50, tickets=_tickets)
