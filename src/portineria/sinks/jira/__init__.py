# SPDX-License-Identifier: Apache-2.0
"""Jira, Cloud (REST API 3) and Data Center (REST API 2): issues."""

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from portineria.sinks.http import ADDRESS, NOT_FOUND, TLS_SETTINGS, Answer, Http, below
from portineria.sinks.jira.message import document, markup, message
from portineria.sinks.kind import Away, Sender, SinkKind
from portineria.sinks.record import encode
from portineria.sinks.setting import Setting, Shape
from portineria.sinks.ticket import Ticket, is_number
from portineria.sinks.ticketing import SETTINGS as TICKETING
from portineria.sinks.ticketing import TAKES_NONE, Opening, Tickets, at, decoded, required, text_at, texts

SETTINGS = (
    ADDRESS,
    Setting("edition", Shape.CHOICE, default="cloud", choices=("cloud", "datacenter")),
    Setting("user", Shape.MAIL, needed=False),
    Setting("token", Shape.SECRET),
    Setting("project", Shape.WORD, needed=False),
    Setting("issue_type", Shape.LIST, default="Task"),
    *TICKETING,
    *TLS_SETTINGS,
)
_LABEL = re.compile(r"[^A-Za-z0-9_-]")
_TITLE_CHARACTERS = 255
_PAGES = 20  # of one search, all of them empty


class _Jira:
    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings, self._http = settings, Http(settings)
        self._cloud = settings["edition"] == "cloud"
        self._fields = [settings[name] for name in ("machine_field", "supplier_field")]

    async def find(self, number: str) -> Ticket | None:
        if not is_number(number):
            return None
        asked = urlencode({"fields": ",".join(("status", *filter(None, self._fields)))})
        answer = await self._said("GET", f"issue/{number}?{asked}")
        if answer.status == NOT_FOUND:
            return None
        issue = decoded(required(answer))
        if not isinstance(at(issue, "fields"), dict):
            raise Away("its answer has no fields")
        machines, suppliers = (texts(at(issue, f"fields.{name}")) if name else None for name in self._fields)
        return Ticket(text_at(issue, "key"), text_at(issue, "fields.status.name"), machines, suppliers)

    async def comment(self, number: str, text: str) -> None:
        answer = await self._said("POST", f"issue/{number}/comment", {"body": self._written(text)})
        required(answer, TAKES_NONE)

    async def has(self, key: str) -> bool:
        """The Cloud looks into so many issues, then ends a page, whether one was found or not: the next may have it."""
        search = "search/jql" if self._cloud else "search"
        asked = {"jql": f'labels = "{_label(key)}"', "fields": "key", "maxResults": "1"}
        for _page in range(_PAGES):
            found = decoded(required(await self._said("GET", f"{search}?{urlencode(asked)}")))
            issues = at(found, "issues") if isinstance(found, dict) else None
            if not isinstance(issues, list):
                raise Away("its answer has no issues")
            token = found.get("nextPageToken")
            if issues or not isinstance(token, str) or not token or found.get("isLast") is True:
                return bool(issues)
            asked["nextPageToken"] = token
        raise Away("its search has no end")

    async def open(self, key: str, title: str, text: str) -> None:
        fields = {
            "project": {"key": self._settings["project"]}, "issuetype": {"name": self._settings["issue_type"]},
            "summary": title[:_TITLE_CHARACTERS], "description": self._written(text), "labels": [_label(key)],
        }  # fmt: skip
        required(await self._said("POST", "issue", {"fields": fields}))

    def _written(self, text: str) -> str | dict[str, Any]:
        return document(text) if self._cloud else markup(text)

    async def _said(self, method: str, path: str, content: dict[str, Any] | None = None) -> Answer:
        address = below(self._settings["address"], f"rest/api/{3 if self._cloud else 2}/{path}")
        headers = {"Authorization": self._authorization(), "Content-Type": "application/json"}
        return await self._http.ask(method, address, headers, encode(content) if content is not None else b"")

    def _authorization(self) -> str:
        """An API token belongs to a name; a personal access token is one by itself."""
        if self._settings["user"]:
            named = f"{self._settings['user']}:{self._settings['token']}"
            return "Basic " + base64.b64encode(named.encode()).decode()
        return f"Bearer {self._settings['token']}"

    async def close(self) -> None:
        await self._http.close()


def _label(key: str) -> str:
    return "portineria-" + _LABEL.sub("-", key)


def _tickets(settings: Mapping[str, str]) -> Tickets:
    return _Jira(settings)


def _sender(settings: Mapping[str, str]) -> Sender:
    return Opening(_Jira(settings), settings)


INFO = SinkKind("jira", "Jira", SETTINGS, message, _sender, most_events=50, tickets=_tickets)
