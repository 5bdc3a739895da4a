# SPDX-License-Identifier: Apache-2.0
"""Elastic's bulk API and Microsoft's Logs Ingestion API, as strict as their documents."""

from __future__ import annotations

import gzip
import json
from typing import Any, ClassVar
from urllib.parse import parse_qs

from tests.integration.sinks.endpoint import Endpoint, Reply, Request, as_json

_FIELD_BYTES = 64 * 1024  # learn.microsoft.com, "Azure Monitor service limits", Logs Ingestion API: longer is truncated


class Elastic(Endpoint):
    """``busy``: ids that are answered 429 once; a document whose fields say ``poison`` fits no mapping."""

    KEY = "aWQ6c2VjcmV0"

    def __init__(self) -> None:
        super().__init__()
        self.busy: set[str] = set()
        self._ids: set[str] = set()

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"ApiKey {self.KEY}":
            return as_json(401, {"error": {"type": "security_exception"}, "status": 401})
        self.expect(request.path == "/events/_bulk", request.path)
        self.expect(request.headers["content-type"] == "application/x-ndjson", "content type")
        self.expect(request.body.endswith(b"\n"), "the last line ends too")
        lines = [json.loads(line) for line in request.body.splitlines()]
        pairs = zip(lines[::2], lines[1::2], strict=True)
        items = [{"create": self._create(action["create"]["_id"], document)} for action, document in pairs]
        return as_json(
            200, {"took": 3, "errors": any(item["create"]["status"] > 299 for item in items), "items": items}
        )

    def _create(self, key: str, document: dict[str, Any]) -> dict[str, Any]:
        self.expect("@timestamp" in document and document["ecs"]["version"] != "", "ECS")
        if document["portineria"]["fields"].get("poison"):
            return {"_id": key, "status": 400, "error": {"type": "document_parsing_exception", "reason": "<script>"}}
        if key in self._ids:
            return {"_id": key, "status": 409, "error": {"type": "version_conflict_engine_exception", "reason": ""}}
        if key in self.busy:
            self.busy.discard(key)
            return {"_id": key, "status": 429, "error": {"type": "es_rejected_execution_exception", "reason": ""}}
        self._ids.add(key)
        self.kept.append(document["event"]["sequence"])
        return {"_id": key, "status": 201, "result": "created"}


class Sentinel(Endpoint):
    """Token, rule, stream, gzip, the limits of one MB a call and 64 KB a field; a token is good until ``expire``."""

    SETTINGS: ClassVar = {"rule": "dcr-1", "stream": "Custom-Portineria", "tenant": "t-1", "client": "c-1"}

    def __init__(self) -> None:
        super().__init__()
        self.tokens = 0
        self.sizes: list[int] = []

    def expire(self) -> None:
        self.tokens += 1

    def answer(self, request: Request) -> Reply:
        if request.path == "/t-1/oauth2/v2.0/token":
            return self._token({name: values[0] for name, values in parse_qs(request.body.decode()).items()})
        self.expect(request.path == "/dataCollectionRules/dcr-1/streams/Custom-Portineria", request.path)
        self.expect(request.query == {"api-version": "2023-01-01"}, "version of the API")
        self.expect(request.headers["content-type"] == "application/json", "content type")
        if request.headers.get("authorization") != f"Bearer token-{self.tokens}":
            return as_json(401, {"error": {"code": "InvalidToken"}})
        self.expect(request.headers.get("content-encoding") == "gzip", "packed")
        body = gzip.decompress(request.body)
        if max(len(body), len(request.body)) > 1_048_576:
            return as_json(413, {"error": {"code": "ContentLengthLimitExceeded"}})
        rows = json.loads(body)
        self.expect(isinstance(rows, list) and all("TimeGenerated" in row for row in rows), "rows")
        long = [name for row in rows for name, value in row.items() if len(json.dumps(value).encode()) > _FIELD_BYTES]
        self.expect(not long, f"fields that would be cut: {long}")
        self.sizes.append(len(body))
        self.kept += [row["Seq"] for row in rows]
        return 204, {}, b""

    def _token(self, form: dict[str, str]) -> Reply:
        self.expect(form["scope"] == "https://monitor.azure.com//.default", "scope")
        self.expect(form["grant_type"] == "client_credentials" and form["client_id"] == "c-1", "application")
        if form["client_secret"] != "secret":
            return as_json(401, {"error": "invalid_client"})
        self.tokens += 1
        return as_json(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": f"token-{self.tokens}"})


class Lines(Endpoint):
    """Whatever takes NDJSON."""

    def answer(self, request: Request) -> Reply:
        self.expect(request.headers.get("authorization") == "Bearer t", "token")
        self.kept += [json.loads(line)["metadata"]["sequence"] for line in request.body.splitlines()]
        return as_json(200, {})
