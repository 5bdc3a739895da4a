# SPDX-License-Identifier: Apache-2.0
"""How this server asks identity providers: over TLS, without following redirects, and never for long or much."""

import time
from typing import Any

import requests

from portineria.control.settings.start import current

_WAIT_S = 5.0  # for the connection, and between two parts of an answer
_LONGEST_S = 10.0  # a person waits for this
_MOST_BYTES = 512 * 1024  # discovery documents have 2 to 5 KB, key sets of large providers 20
_PART_BYTES = 16 * 1024


class NoAnswer(requests.RequestException):
    """The provider is away, or does not answer as one."""


class BoundedSession(requests.Session):
    """Raises RequestException, of which ``NoAnswer`` is one."""

    def request(self, method: Any, url: Any, *args: Any, **given: Any) -> requests.Response:
        check_address(str(url))
        given |= {"timeout": _WAIT_S, "allow_redirects": False, "stream": True}
        answer = super().request(method, url, *args, **given)
        with answer:
            answer._content = _read(answer)
        if answer.is_redirect:
            raise NoAnswer(f"{url} answers with a redirect")
        return answer


def check_address(address: str) -> None:
    """Without TLS only where this server itself is reached without: on one computer, for tests and demonstrations."""
    if not address.startswith("https://" if current().secure else ("https://", "http://")):
        raise NoAnswer(f"{address} does not begin with https://")


def _read(answer: requests.Response) -> bytes:
    body, until = bytearray(), time.monotonic() + _LONGEST_S
    for part in answer.iter_content(_PART_BYTES):
        body += part
        if len(body) > _MOST_BYTES or time.monotonic() > until:
            raise NoAnswer(f"{answer.url} answers with too much, or too slowly")
    return bytes(body)
