# SPDX-License-Identifier: Apache-2.0
"""What every bus promises. ``tests/integration/bus/test_contract.py`` holds each of them to it.

- A relay speaks for itself only. Its messages come in their order, and the receiver is awaited for one at a time.
- The receiver hears ``RelayUp(relay, [])`` when a relay is gone, and its greeting, ``RelayUp(relay, links)``, whenever
  the connection, the relay, the control process or the server between them came back. What a relay said before its
  latest greeting and was not dealt with yet is forgotten.
- Nothing is queued for a relay that is away, and nothing without bound for one that is slow.
- A message beyond the limit raises BadFrame where it is published; bytes that are no message end the conversation of
  whoever sent them, and nobody else's.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from portineria.bus.message import RelayUp, ToControl, ToControls, ToRelay

Receiver = Callable[[ToControl], Coroutine[Any, Any, None]]
Hearer = Callable[[ToControls], None]
Orders = Callable[[ToRelay], None]
Greeting = Callable[[], RelayUp]


class Bus(Protocol):
    """The control plane's end. All of it is called from the event loop's thread."""

    @property
    def relays(self) -> list[str]:
        """Those to whom ``publish`` speaks now."""

    @property
    def connected(self) -> bool:
        """Whether anybody could hear us. From any thread."""

    async def open(self, relays: list[str]) -> None:
        """Listen to these relays from now on. Does not wait for them."""

    async def arrival(self, relay: str) -> None:
        """Returns once this relay has been there: it listens before it speaks to us."""

    def publish(self, relay: str, message: ToRelay) -> bool:
        """Return whether the relay is there to read it, as far as is known here."""

    def publish_all(self, message: ToRelay) -> None: ...

    def tell(self, told: ToControls) -> None:
        """To the other control processes of this installation; those that are not there miss it."""

    async def close(self) -> None:
        """Returns once the receiver knows that every relay is gone."""


class BusEnd(Protocol):
    """The relay's end. Reconnects by itself; the greeting is said first on every connection."""

    @property
    def connected(self) -> bool: ...

    def publish(self, message: ToControl) -> bool:
        """Return whether it was sent. What was not is made good by the next greeting."""

    async def run(self) -> None:
        """For ever: connect, greet, receive."""
