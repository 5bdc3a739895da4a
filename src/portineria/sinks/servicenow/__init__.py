# SPDX-License-Identifier: Apache-2.0
"""ServiceNow by its Table API: any table whose rows have a number, such as ``change_request``."""

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from portineria.sinks.http import ADDRESS, TLS_SETTINGS, UNAUTHORISED, Answer, Http, below
from portineria.sinks.kind import Away, Refused, Sender, SinkKind
from portineria.sinks.servicenow.message import body, message
from portineria.sinks.setting import Setting, Shape
from portineria.sinks.ticket import Ticket, is_number
from portineria.sinks.ticketing import SETTINGS as TICKETING
from portineria.sinks.ticketing import TAKES_NONE, Opening, Tickets, decoded, required, text_at, texts

SETTINGS = (
    ADDRESS,
    Setting("sign_in", Shape.CHOICE, default="basic", choices=("basic", "oauth")),
    Setting("user", Shape.SECRET),
    Setting("password", Shape.SECRET),
    Setting("table", Shape.WORD, default="change_request"),
    Setting("open_table", Shape.WORD, default="incident"),
    *TICKETING,
    *TLS_SETTINGS,
)
_SYS_ID = re.compile(r"[0-9a-f]{32}")


class _ServiceNow:
    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings, self._http, self._token = settings, Http(settings), ""
        self._fields = [settings[name] for name in ("machine_field", "supplier_field")]

    async def find(self, number: str) -> Ticket | None:
        row = await self._row(self._settings["table"], "number", number)
        if row is None:
            return None
        machines, suppliers = (texts(row.get(name)) if name else None for name in self._fields)
        return Ticket(text_at(row, "number"), text_at(row, "state"), machines, suppliers)

    async def comment(self, number: str, text: str) -> None:
        row = await self._row(self._settings["table"], "number", number)
        if row is None:
            raise Refused("there is no such ticket")
        path = f"{self._settings['table']}/{_sys_id(row)}"
        await self._said("PATCH", path, body({"work_notes": text}), also=TAKES_NONE)

    async def has(self, key: str) -> bool:
        return await self._row(self._settings["open_table"], "correlation_id", key) is not None

    async def open(self, key: str, title: str, text: str) -> None:
        fields = {"short_description": title, "description": text, "correlation_id": key}
        await self._said("POST", self._settings["open_table"], body(fields))

    async def _row(self, table: str, field: str, value: str) -> Any:
        """The one whose field has this value, with values as people read them; None where there is none."""
        if not is_number(value):  # "^" would add a condition of its own
            return None
        asked = {
            "sysparm_query": f"{field}={value}", "sysparm_limit": "1", "sysparm_display_value": "true",
            "sysparm_exclude_reference_link": "true",
            "sysparm_fields": ",".join(("sys_id", "number", "state", *filter(None, self._fields))),
        }  # fmt: skip
        answer = await self._said("GET", f"{table}?{urlencode(asked)}")
        rows = decoded(answer)
        rows = rows.get("result") if isinstance(rows, dict) else None
        if not isinstance(rows, list):
            raise Away("its answer has no result")
        return rows[0] if rows and isinstance(rows[0], dict) else None

    async def _said(self, method: str, path: str, content: bytes = b"", also: tuple[int, ...] = ()) -> Answer:
        address = below(self._settings["address"], f"api/now/table/{path}")
        answer = await self._http.ask(method, address, await self._headers(), content)
        if answer.status == UNAUTHORISED and self._token:  # it lives for half an hour
            self._token = ""
            answer = await self._http.ask(method, address, await self._headers(), content)
        return required(answer, also)

    async def _headers(self) -> dict[str, str]:
        return {"Authorization": await self._authorization(), "Content-Type": "application/json"}

    async def _authorization(self) -> str:
        user, password = self._settings["user"], self._settings["password"]
        if self._settings["sign_in"] == "basic":
            return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if not self._token:
            form = {"grant_type": "client_credentials", "client_id": user, "client_secret": password}
            named = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await self._http.post(
                below(self._settings["address"], "oauth_token.do"), urlencode(form).encode(), named
            )
            if not answer.good:
                raise Away(f"no token: HTTP {answer.status}", retry_after_s=answer.retry_after_s)
            self._token = text_at(decoded(answer), "access_token")
            if not (self._token and self._token.isascii() and self._token.isprintable()):
                raise Away("no token in the answer")
        return f"Bearer {self._token}"

    async def close(self) -> None:
        await self._http.close()


def _sys_id(row: Mapping[str, Any]) -> str:
    found = text_at(row, "sys_id")
    if _SYS_ID.fullmatch(found) is None:
        raise Away("its answer has no sys_id")
    return found


def _tickets(settings: Mapping[str, str]) -> Tickets:
    return _ServiceNow(settings)


def _sender(settings: Mapping[str, str]) -> Sender:
    return Opening(_ServiceNow(settings), settings)


INFO = SinkKind("servicenow", "ServiceNow", SETTINGS, message, _sender, most_events=50, tickets=_tickets)
