# SPDX-License-Identifier: Apache-2.0
"""ServiceNow's Table API, Jira's REST API 2 and 3 and a home-made one, as strict as their published documents."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import parse_qs

from tests.integration.sinks.endpoint import Endpoint, Reply, Request, as_json

_FIELD = re.compile(r"number|correlation_id")


class Desk(Endpoint):
    """``tickets``: number → fields as that system has them. ``comments``: (number, text). ``opened``: what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.tickets: dict[str, dict[str, Any]] = {}
        self.comments: list[tuple[str, Any]] = []
        self.opened: list[dict[str, Any]] = []
        self.asked = 0


class ServiceNow(Desk):
    """``oauth``: takes tokens only, each for ``uses`` requests."""

    def __init__(self, oauth: bool = False, uses: int = 3) -> None:
        super().__init__()
        self._oauth, self._uses, self.tokens, self._left = oauth, uses, 0, 0

    def answer(self, request: Request) -> Reply:
        if request.path == "/oauth_token.do":
            return self._token({name: values[0] for name, values in parse_qs(request.body.decode()).items()})
        if not self._signed_in(request.headers.get("authorization", "")):
            return as_json(401, {"error": {"message": "User Not Authenticated", "detail": ""}, "status": "failure"})
        self.asked += 1
        table, _, sys_id = request.path.removeprefix("/api/now/table/").partition("/")
        if request.method == "GET":
            return self._query(table, request.query)
        fields = json.loads(request.body)
        if request.method == "PATCH":
            number = next((number for number in self.tickets if _sys_id(number) == sys_id), None)
            if number is None:
                return as_json(404, {"error": {"message": "No Record found", "detail": ""}, "status": "failure"})
            self.comments.append((number, fields["work_notes"]))
            return as_json(200, {"result": {"sys_id": sys_id}})
        self.expect(
            table == "incident" and fields.keys() == {"short_description", "description", "correlation_id"}, "new"
        )
        self.opened.append(fields)
        return as_json(201, {"result": {"sys_id": _sys_id(fields["correlation_id"])}})

    def _query(self, table: str, query: dict[str, str]) -> Reply:
        field, _, value = query["sysparm_query"].partition("=")
        self.expect(_FIELD.fullmatch(field) is not None and "^" not in value, "query")
        self.expect(query["sysparm_limit"] == "1" and query["sysparm_display_value"] == "true", "query")
        wanted = query["sysparm_fields"].split(",")
        if field == "correlation_id":
            rows = [{"correlation_id": row["correlation_id"], "sys_id": "f" * 32} for row in self.opened]
            return as_json(200, {"result": [row for row in rows if row["correlation_id"] == value]})
        self.expect(table in ("change_request", "incident"), "table")
        rows = [{"sys_id": _sys_id(value), "number": value, **self.tickets[value]}] if value in self.tickets else []
        return as_json(200, {"result": [{name: row.get(name, "") for name in wanted} for row in rows]})

    def _signed_in(self, authorization: str) -> bool:
        if not self._oauth:
            return authorization == "Basic " + base64.b64encode(b"gatehouse:secret").decode()
        self._left -= 1
        return self._left >= 0 and authorization == f"Bearer token-{self.tokens}"

    def _token(self, form: dict[str, str]) -> Reply:
        self.expect(form["grant_type"] == "client_credentials", "grant type")
        if (form["client_id"], form["client_secret"]) != ("gatehouse", "secret"):
            return as_json(401, {"error": "invalid_client", "error_description": "access_denied"})
        self.tokens, self._left = self.tokens + 1, self._uses
        return as_json(200, {"access_token": f"token-{self.tokens}", "token_type": "Bearer", "expires_in": 1799})


def _sys_id(number: str) -> str:
    return number.encode().hex().ljust(32, "0")[:32]


class Jira(Desk):
    """Data Center where ``cloud`` is false: the same paths under /2/, other texts, another search."""

    def __init__(self, cloud: bool = True) -> None:
        super().__init__()
        self._cloud = cloud
        self._root = f"/rest/api/{3 if cloud else 2}/"
        basic = "Basic " + base64.b64encode(b"gatehouse@plant.example:t0ken").decode()
        self._authorization = basic if cloud else "Bearer t0ken"

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != self._authorization:
            return as_json(401, {"message": "Client must be authenticated to access this resource."})
        self.asked += 1
        path = request.path.removeprefix(self._root)
        self.expect(path != request.path, request.path)
        if path in ("search", "search/jql"):
            return self._search(path, request.query)
        if path == "issue":
            self.opened.append(fields := json.loads(request.body)["fields"])
            self.expect(fields["project"] == {"key": "OT"} and len(fields["summary"]) <= 255, "fields")
            self._expect_text(fields["description"])
            return as_json(201, {"id": "10000", "key": f"OT-{len(self.opened)}", "self": ""})
        number, _, rest = path.removeprefix("issue/").partition("/")
        if number not in self.tickets:
            said = "Issue does not exist or you do not have permission to see it."
            return as_json(404, {"errorMessages": [said], "errors": {}})
        if rest == "comment":
            self.comments.append((number, body := json.loads(request.body)["body"]))
            self._expect_text(body)
            return as_json(201, {"id": "10001"})
        wanted = request.query["fields"].split(",")
        fields = {name: value for name, value in self.tickets[number].items() if name in wanted}
        return as_json(200, {"id": "1", "key": number, "fields": fields})

    def _search(self, path: str, query: dict[str, str]) -> Reply:
        """The Cloud's first page may be empty and not the last: developer.atlassian.com, search/jql, nextPageToken."""
        self.expect(path == ("search/jql" if self._cloud else "search"), path)
        found = re.fullmatch(r'labels = "([\w-]+)"', query["jql"])
        self.expect(found is not None, query["jql"])
        keys = [{"key": "OT-1"} for fields in self.opened if found and found[1] in fields["labels"]]
        if not self._cloud:
            return as_json(200, {"issues": keys, "startAt": 0, "maxResults": 1, "total": len(keys)})
        if query.get("nextPageToken", "") != "page 2":
            self.expect("nextPageToken" not in query, "token")
            return as_json(200, {"issues": [], "isLast": False, "nextPageToken": "page 2"})
        return as_json(200, {"issues": keys, "isLast": True})

    def _expect_text(self, body: Any) -> None:
        if self._cloud:
            self.expect(
                body["type"] == "doc" and body["version"] == 1 and isinstance(body["content"], list), "document"
            )
        else:
            self.expect(isinstance(body, str), "text")


class Homemade(Desk):
    MAPPING = """
[find]
path = "desk/tickets/{number}?full=1"
number = "ticket.id"
state = "ticket.status.name"
machines = "ticket.assets"
suppliers = "ticket.vendor"

[comment]
path = "desk/tickets/{number}/notes"
text = "note.text"

[open]
path = "desk/tickets"
search = "desk/tickets?external={number}"
found = "tickets"
title = "title"
text = "body.text"
key = "external"
fixed = { kind = "security", "body.format" = "plain" }
"""

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != "Bearer t0ken":
            return as_json(403, {})
        self.asked += 1
        _, _, _, number, *rest = (*request.path.split("/"), "")
        if request.method == "POST" and rest[:1] == ["notes"]:
            self.comments.append((number, json.loads(request.body)["note"]["text"]))
            return as_json(200, {})
        if request.method == "POST":
            self.opened.append(content := json.loads(request.body))
            self.expect(content["kind"] == "security" and content["body"].keys() == {"text", "format"}, "fixed")
            return as_json(201, {})
        if "external" in request.query:
            found = [one for one in self.opened if one["external"] == request.query["external"]]
            return as_json(200, {"tickets": found})
        self.expect(request.query == {"full": "1"}, "query")
        return (
            as_json(200, {"ticket": {"id": number, **self.tickets[number]}})
            if number in self.tickets
            else as_json(404, {})
        )
