# SPDX-License-Identifier: Apache-2.0
"""HTTP receivers that check what their vendors document, and misbehave when a test says so."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Reply = tuple[int, dict[str, str], bytes]


def as_json(status: int, content: Any, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"Content-Type": "application/json", **named}, json.dumps(content).encode()


@dataclass
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    method: str = "POST"


class Endpoint:
    """``faults`` are answered first, one for each request; a number is how many bytes of nothing, then silence."""

    def __init__(self) -> None:
        self.faults: list[Reply | int] = []
        self.kept: list[Any] = []  # what counts as received, in order
        self.wrong: list[str] = []  # what the vendor's documents do not allow

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError

    def expect(self, right: bool, what: str) -> None:
        if not right:
            self.wrong.append(what)


@contextmanager
def serving(endpoint: Endpoint, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of it."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            fault = endpoint.faults.pop(0) if endpoint.faults else None
            if isinstance(fault, int):
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(fault))
                self.wfile.flush()
                over.wait(60)
                self.close_connection = True
                return
            status, named, content = fault or endpoint.answer(Request(parts.path, query, headers, body, self.command))
            self.send_response(status)
            for name, value in {**named, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PATCH = do_POST  # noqa: N815  # as the library calls them

        def log_message(self, *_said: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


class Webhooks(Endpoint):
    """Standard Webhooks 1.0.0: three headers, the signature over id, time and the bytes as they came."""

    def __init__(self, secret: bytes, refuses: Callable[[Any], bool] = lambda _content: False) -> None:
        super().__init__()
        self.secret, self._refuses = secret, refuses

    def answer(self, request: Request) -> Reply:
        named = [request.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")]
        covered = f"{named[0]}.{named[1]}.".encode() + request.body
        expected = base64.b64encode(hmac.digest(self.secret, covered, hashlib.sha256)).decode()
        self.expect(named[2] == f"v1,{expected}", "signature")
        self.expect(named[1].isdigit() and "." not in named[0], "id and time")
        content = json.loads(request.body)
        if self._refuses(content):
            return as_json(422, {})
        self.kept.append((named[0], content["data"].get("seq")))
        return as_json(200, {})


class Splunk(Endpoint):
    """HEC with indexer acknowledgement: events are kept in a queue and indexed when the second question comes."""

    TOKEN = "11111111-2222-3333-4444-555555555555"

    def __init__(self) -> None:
        super().__init__()
        self._asked: dict[int, int] = {}
        self._queued: dict[int, list[int]] = {}

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Splunk {self.TOKEN}":
            return as_json(403, {"text": "Invalid token", "code": 4})
        channel = request.headers.get("x-splunk-request-channel", "")
        self.expect(str(uuid.UUID(channel)) == channel, "channel")
        if request.path == "/services/collector/ack":
            return self._ack(request, channel)
        self.expect(request.path == "/services/collector/event", request.path)
        events = _concatenated(request.body.decode())
        if bad := [at for at, event in enumerate(events) if event["event"]["fields"].get("poison")]:
            return as_json(400, {"text": "Invalid data format", "code": 6, "invalid-event-number": bad[0]})
        for event in events:
            self.expect({"time", "host", "source", "sourcetype", "event"} <= event.keys(), "metadata")
        number = len(self._queued)
        self._queued[number] = [event["event"]["seq"] for event in events]
        return as_json(200, {"text": "Success", "code": 0, "ackId": number})

    def _ack(self, request: Request, channel: str) -> Reply:
        self.expect(request.query.get("channel") == channel, "channel of the question")
        found = {}
        for number in json.loads(request.body)["acks"]:
            self._asked[number] = self._asked.get(number, 0) + 1
            found[str(number)] = self._asked[number] == 2
            if found[str(number)]:
                self.kept += self._queued[number]
        return as_json(200, {"acks": found})


def _concatenated(text: str) -> list[Any]:
    """JSON objects one after the other, as HEC takes them."""
    found, place, decoder = [], 0, json.JSONDecoder()
    while place < len(text):
        one, place = decoder.raw_decode(text, place)
        found.append(one)
        while place < len(text) and text[place].isspace():
            place += 1
    return found
