# SPDX-License-Identifier: Apache-2.0
import secrets

import structlog

from portineria.bus.envelope import BOOT_BYTES, Envelope
from portineria.bus.interface import Greeting, Orders
from portineria.bus.message import TO_CONTROL, TO_RELAY_OR_GREET, Greet, ToControl
from portineria.bus.nats_access import NatsAccess
from portineria.bus.nats_connection import BEAT_S, PAYLOAD_BYTES, BusAway, Connection
from portineria.bus.persistence import for_ever
from portineria.core.errors import ProtocolError
from portineria.wire.frame import BadFrame

log = structlog.get_logger()
# What a relay's account calls them. The server passes them on to and from the control plane's `relay.<id>.…`.
UP, DOWN = "up", "down"


class NatsBusEnd:
    """The relay's end on a NATS server."""

    def __init__(self, access: NatsAccess, receive: Orders, greeting: Greeting, *, beat_s: float = BEAT_S) -> None:
        self._access = access
        self._receive = receive
        self._greeting = greeting
        self._beat_s = beat_s
        self._connection: Connection | None = None
        self._boot = secrets.token_bytes(BOOT_BYTES)
        self._talk = self._number = 0

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def publish(self, message: ToControl) -> bool:
        """Its number is used though it was not taken: the control plane then notices, and asks for the greeting."""
        connection = self._connection
        if connection is None:
            return False
        payload = Envelope(self._boot, self._talk, self._number, TO_CONTROL.encode(message)).encode()
        if len(payload) > connection.limit:
            raise BadFrame(f"message of {len(payload)} bytes, allowed {connection.limit}")
        self._number += 1
        return connection.send(UP, payload)

    async def run(self) -> None:
        await for_ever(self._converse)

    async def _converse(self) -> None:
        connection = Connection(self._access, beat_s=self._beat_s)
        try:
            await connection.open()
            await connection.hear(DOWN, self._heard)
            self._connection = connection
            self._greet()
            while not await connection.ended(within_s=self._beat_s):
                connection.send(UP, Envelope(self._boot, self._talk, self._number).encode())
            log.warning("bus.control.lost", why=connection.why)
        except BusAway as error:
            log.warning("bus.control.away", why=str(error))
        finally:
            self._connection = None
            await connection.close()

    def _greet(self) -> None:
        self._talk += 1
        self._number = 0
        self.publish(self._greeting())

    def _heard(self, data: bytes) -> None:
        """What we cannot read ends the connection: after an update both sides agree again."""
        if self._connection is None:
            return
        try:
            if len(data) > PAYLOAD_BYTES:
                raise BadFrame(f"message of {len(data)} bytes, allowed {PAYLOAD_BYTES}")
            message = TO_RELAY_OR_GREET.decode(data)
        except ProtocolError as error:
            self._connection.end(str(error))
            return
        if isinstance(message, Greet):
            self._greet()
        else:
            self._receive(message)
