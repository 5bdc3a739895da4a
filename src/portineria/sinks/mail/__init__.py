# SPDX-License-Identifier: Apache-2.0
"""Mail: the events of a batch in one message, handed to the server of the owner's choice, always encrypted."""

import asyncio
from collections.abc import Mapping, Sequence

from portineria.sinks.http import TLS_SETTINGS
from portineria.sinks.kind import Away, SinkKind, Taken
from portineria.sinks.mail.message import mail, message
from portineria.sinks.mail.smtp import LINE_BYTES, Smtp
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.setting import Setting, Shape
from portineria.sinks.syslog.line import reason
from portineria.sinks.trust import client_tls

_TAKE_S = 60.0
SETTINGS = (
    Setting("host", Shape.HOST),
    Setting("port", Shape.PORT, default="587"),
    Setting("encryption", Shape.CHOICE, default="starttls", choices=("starttls", "tls")),
    Setting("sender", Shape.MAIL),
    Setting("recipient", Shape.MAIL),
    Setting("user", Shape.MAIL, needed=False),
    Setting("password", Shape.SECRET, needed=False),
    *TLS_SETTINGS,
)


class _Mail:
    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings, self._tls = settings, client_tls(settings)

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        try:
            async with asyncio.timeout(_TAKE_S):
                await self._hand_over(mail(events, self._settings["sender"], self._settings["recipient"]))
        except (OSError, TimeoutError) as error:
            raise Away(reason(error)) from error
        return Taken(len(events))

    async def _hand_over(self, text: bytes) -> None:
        given = self._settings
        at_once = self._tls if given["encryption"] == "tls" else None
        reader, writer = await asyncio.open_connection(given["host"], int(given["port"]), ssl=at_once, limit=LINE_BYTES)
        line = Smtp(reader, writer)
        try:
            await line.greet()
            if at_once is None:
                await line.encrypt(self._tls, given["host"])
            if given["user"]:
                await line.sign_in(given["user"], given["password"])
            await line.hand_over(given["sender"], given["recipient"], text)
        finally:
            line.end()
            writer.transport.abort()  # the line below TLS, where that did not come to stand

    async def close(self) -> None:
        """Every mail has a connection of its own."""


INFO = SinkKind("mail", "E-mail", SETTINGS, message, _Mail, most_events=200)
