# SPDX-License-Identifier: Apache-2.0
"""HTTP to one receiver: to the address that was typed and no other, TLS verified, every wait and every answer bounded.

No redirect is followed and no proxy of the environment asked: what is sent would go where nobody typed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from portineria.sinks.kind import Away
from portineria.sinks.name import addresses
from portineria.sinks.outgoing import PRODUCT
from portineria.sinks.setting import Setting, Shape
from portineria.sinks.trust import client_tls

ANSWER_BYTES = 1024 * 1024  # Elastic answers 200 bytes for each of 500 events
LONGEST_RETRY_S = 3600.0
_CONNECT_S = 10.0
_TIMES = httpx.Timeout(30.0, connect=_CONNECT_S)
_LIMITS = httpx.Limits(max_connections=1, max_keepalive_connections=1)
OK, CREATED = 200, 201
UNAUTHORISED, NOT_FOUND, TOO_LARGE = 401, 404, 413
ADDRESS = Setting("address", Shape.ADDRESS)
TLS_SETTINGS = (
    Setting("authorities", Shape.CERTIFICATES, needed=False),
    Setting("certificate", Shape.CERTIFICATES, needed=False),
    Setting("key", Shape.KEY, needed=False),
)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    retry_after_s: float = 0.0

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    def away(self) -> Away:
        """For whatever may be mended: the number, and none of the receiver's words."""
        return Away(f"HTTP {self.status}", retry_after_s=self.retry_after_s)


class Http:
    def __init__(self, settings: Mapping[str, str]) -> None:
        """Raise BadSetting."""
        self._tls = client_tls(settings)
        self._clients: dict[str, httpx.AsyncClient] = {}  # by name: a connection belongs to the name it was proven for
        self._places: dict[str, Sequence[str]] = {}  # name → its addresses

    def _client(self, name: str) -> httpx.AsyncClient:
        if name not in self._clients:
            self._clients[name] = httpx.AsyncClient(
                verify=self._tls, trust_env=False, follow_redirects=False, timeout=_TIMES, limits=_LIMITS,
                headers={"User-Agent": PRODUCT, "Accept-Encoding": "identity", "Accept": "application/json"},
            )  # fmt: skip
        return self._clients[name]

    async def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return await self.ask("POST", address, headers, body)

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


def below(address: str, path: str) -> str:
    return f"{address.rstrip('/')}/{path}"
