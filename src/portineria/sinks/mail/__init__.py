# SPDX-License-Identifier: Apache-2.0
"""Mail: the events of a batch in one message, handed to the server of the owner's choice, always encrypted."""

from collections.abc import Mapping, Sequence

from portineria.sinks.http import TLS_SETTINGS
from portineria.sinks.kind import SinkKind, Taken
from portineria.sinks.mail.message import mail, message
from portineria.sinks.mail.post import post
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.setting import Setting, Shape
from portineria.sinks.trust import client_tls

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
        given = self._settings
        await post(given, self._tls, given["recipient"], mail(events, given["sender"], given["recipient"]))
        return Taken(len(events))

    async def close(self) -> None:
        """Every mail has a connection of its own."""


INFO = SinkKind("mail", "E-mail", SETTINGS, message, _Mail, most_events=200)
