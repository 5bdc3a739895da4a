# SPDX-License-Identifier: Apache-2.0
"""What asks one receiver by HTTP: a connection for each name, to the first of its addresses that answers."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence

import httpx

from portineria.sinks.http import ANSWER_BYTES, Answer
from portineria.sinks.kind import Away
from portineria.sinks.name import addresses
from portineria.sinks.outgoing import PRODUCT

LONGEST_RETRY_S = 3600.0
_CONNECT_S = 10.0
_TIMES = httpx.Timeout(30.0, connect=_CONNECT_S)
_LIMITS = httpx.Limits(max_connections=1, max_keepalive_connections=1)


class Asking:
    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._clients: dict[str, httpx.AsyncClient] = {}  # by name: a connection belongs to the name it was proven for
        self._places: dict[str, Sequence[str]] = {}  # name → its addresses

    async def ask(self, method: str, address: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Raise Away where there is no whole answer."""
        try:
            return await self._asked_of_each(httpx.Request(method, address, content=body, headers=dict(headers)))
        except (httpx.TimeoutException, TimeoutError) as error:
            raise Away("no answer in time") from error
        except httpx.ConnectError as error:  # of this system: refused, a certificate that does not hold
            raise Away(str(error)[:160] or "cannot be reached") from error
        except httpx.HTTPError as error:
            raise Away(f"the connection broke: {type(error).__name__}") from error
        except OSError as error:
            raise Away(error.strerror or "no such name") from error

    def _client(self, name: str) -> httpx.AsyncClient:
        if name not in self._clients:
            self._clients[name] = httpx.AsyncClient(
                verify=self._tls, trust_env=False, follow_redirects=False, timeout=_TIMES, limits=_LIMITS,
                headers={"User-Agent": PRODUCT, "Accept-Encoding": "identity", "Accept": "application/json"},
            )  # fmt: skip
        return self._clients[name]

    async def _asked_of_each(self, request: httpx.Request) -> Answer:
        """Of the first address of its name that answers; the others stay known as long as one does."""
        host = request.url.host
        failure: httpx.TransportError = httpx.ConnectError("no address")
        if host not in self._places:
            async with asyncio.timeout(_CONNECT_S):
                self._places[host] = await addresses(host)
        for place in self._places[host]:
            try:
                return await self._answer(request, place)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        del self._places[host]
        raise failure

    async def _answer(self, request: httpx.Request, place: str) -> Answer:
        """Its name is what the certificate has to hold and what the receiver is asked for."""
        name, address = request.url.host, request.url.copy_with(host=place)
        async with self._client(name).stream(
            request.method, address, content=request.content, headers=request.headers,
            extensions={"sni_hostname": name},
        ) as answer:  # fmt: skip
            data = bytearray()
            async for part in answer.aiter_raw():
                data += part
                if len(data) > ANSWER_BYTES:
                    raise Away(f"its answer has more than {ANSWER_BYTES} bytes")
            return Answer(answer.status_code, bytes(data), _seconds(answer.headers.get("Retry-After", "")))

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()


def _seconds(text: str) -> float:
    """RFC 9110, 10.2.3; a date is no number, and clocks differ."""
    return min(float(text), LONGEST_RETRY_S) if text.isascii() and text.isdigit() and len(text) < 9 else 0.0
