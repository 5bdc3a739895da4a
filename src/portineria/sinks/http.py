# SPDX-License-Identifier: Apache-2.0
"""HTTP to one receiver: to the address that was typed and no other, TLS verified, every wait and every answer bounded.

No redirect is followed and no proxy of the environment asked: what is sent would go where nobody typed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from portineria.sinks.kind import Away
from portineria.sinks.setting import Setting, Shape
from portineria.sinks.trust import client_tls

ANSWER_BYTES = 1024 * 1024  # Elastic answers 200 bytes for each of 500 events
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
        # With httpx, which takes a tenth of a second to load: nobody asks anything in most commands of a server.
        from portineria.sinks.asking import Asking

        self._asking = Asking(client_tls(settings))

    async def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return await self.ask("POST", address, headers, body)

    async def ask(self, method: str, address: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Raise Away where there is no whole answer."""
        return await self._asking.ask(method, address, headers, body)

    async def close(self) -> None:
        await self._asking.close()


def below(address: str, path: str) -> str:
    return f"{address.rstrip('/')}/{path}"
