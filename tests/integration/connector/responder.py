# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that answers what a test tells it to, and checks the connector's proofs as the control plane does."""

import base64
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Answer = tuple[int, object]
SKEW_S = 120


@dataclass
class Asked:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")


@dataclass
class Responder:
    """``answers`` maps "METHOD path" to an answer or to what makes one. Raw bytes are sent as they are."""

    answers: dict[str, "Answer | Callable[[Asked], Answer]"] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    key: Ed25519PublicKey | None = None  # when set, every request must carry a proof made with it
    token: str = ""
    clock_ahead_s: float = 0
    url: str = ""

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if self.key is not None and (problem := self._judge(asked)) is not None:
            return 401, {"code": problem, "title": "Not signed in", "detail": problem}
        found = self.answers.get(f"{asked.method} {asked.path}", (404, {"code": "not-found", "title": "Not found"}))
        return found(asked) if callable(found) else found

    def _judge(self, asked: Asked) -> str | None:
        """The code of what is wrong with the proof."""
        assert self.key is not None
        if asked.headers.get("authorization") != f"Portineria {self.token}":
            return "token.invalid"
        version, ms, nonce, signature = asked.headers.get("portineria-proof", "...").split(".")
        covered = (
            hashlib.sha256(self.token.encode()).digest()
            + asked.method.encode() + b" " + asked.path.encode()
            + hashlib.sha256(asked.body).digest() + int(ms).to_bytes(8, "big")
            + base64.urlsafe_b64decode(nonce + "==")
        )  # fmt: skip
        try:
            self.key.verify(base64.urlsafe_b64decode(signature + "=="), covered)
        except InvalidSignature:
            return "token.invalid"
        if version != "v1" or abs(int(ms) / 1000 - self.now) > SKEW_S:
            return "token.clock"
        return None

    @property
    def now(self) -> float:
        return time.time() + self.clock_ahead_s


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    responder: ClassVar[Responder]

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, content = self.responder.answer(Asked(self.command, self.path, body, headers))
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response_only(status)
        self.send_header("Date", formatdate(self.responder.now, usegmt=True))
        if 300 <= status < 400:
            self.send_header("Location", "http://127.0.0.2:1/elsewhere")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _respond  # noqa: N815 - the names of http.server

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def responding(responder: Responder) -> Iterator[Responder]:
    handler = type("Handler", (_Handler,), {"responder": responder})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        responder.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield responder
        finally:
            server.shutdown()
            thread.join(10)
