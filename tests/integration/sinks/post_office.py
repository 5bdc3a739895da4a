# SPDX-License-Identifier: Apache-2.0
"""A mail server that wants STARTTLS and a name before it takes anything."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes
from email.message import Message
from typing import Any

USER, PASSWORD = "siem@example.com", "secret"


class PostOffice:
    """``full``: what it answers after the mail's text instead of taking it. ``injected``: what somebody on the way puts
    behind its word that TLS may begin.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls, self.mails, self.full = tls, list[Message](), ""
        self.injected = b""
        self.clear: list[str] = []  # said before TLS stood

    @contextmanager
    def open(self, port: int = 0) -> Iterator[int]:
        """``port``: that of before, for one that comes back."""
        office = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):  # whoever gives up closes in the middle
                    office._serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True

        with Server(("127.0.0.1", port), Handler) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            yield server.server_address[1]
            server.shutdown()
            thread.join()

    def _serve(self, line: Any) -> None:
        secure, known, read = False, False, line.makefile("rb", buffering=0)
        line.sendall(b"220-mail.example\r\n220 ready\r\n")
        while said := read.readline().decode().strip():
            verb = said.partition(" ")[0].upper()
            if not secure:
                self.clear.append(verb)
            if verb == "STARTTLS":
                line.sendall(b"220 go\r\n" + self.injected)
                line = self._tls.wrap_socket(line, server_side=True)
                read, secure = line.makefile("rb", buffering=0), True
            elif verb == "EHLO":
                line.sendall(b"250-mail.example\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")
            elif verb == "AUTH":
                known = base64.b64decode(said.split()[2]) == f"\0{USER}\0{PASSWORD}".encode()
                line.sendall(b"235 welcome\r\n" if known else b"535 no\r\n")
            elif verb == "DATA" and secure and known:
                line.sendall(b"354 go on\r\n")
                line.sendall(self._taken(read))
            else:
                line.sendall(b"250 yes\r\n" if secure and known else b"530 not yet\r\n")
        line.close()

    def _taken(self, read: Any) -> bytes:
        text = b""
        while (line := read.readline()) != b".\r\n":
            text += line.removeprefix(b".")
        if not self.full:
            self.mails.append(message_from_bytes(text))
        return f"{self.full or '250 taken'}\r\n".encode()
