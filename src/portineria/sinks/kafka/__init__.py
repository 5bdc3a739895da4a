# SPDX-License-Identifier: Apache-2.0
"""Apache Kafka: a record for each event, in the order of its organisation's register, taken when all replicas have it.

By librdkafka, which is an extra: nothing else of the product speaks this protocol.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

from portineria.sinks.apart import apart
from portineria.sinks.http import TLS_SETTINGS
from portineria.sinks.kafka.message import WRITERS
from portineria.sinks.kafka.producer import Producing
from portineria.sinks.kind import SinkKind, Taken
from portineria.sinks.outgoing import Outgoing
from portineria.sinks.setting import Setting, Shape

SETTINGS = (
    Setting("brokers", Shape.HOSTS),
    Setting("topic", Shape.WORD),
    Setting("format", Shape.CHOICE, default="ocsf", choices=tuple(WRITERS)),
    Setting("transport", Shape.CHOICE, default="tls", choices=("tls", "tcp")),
    Setting("mechanism", Shape.CHOICE, default="SCRAM-SHA-512", choices=("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")),
    Setting("user", Shape.LIST, needed=False),
    Setting("password", Shape.SECRET, needed=False),
    *TLS_SETTINGS,
)


class _Kafka:
    def __init__(self, settings: Mapping[str, str]) -> None:
        """Raise BadSetting, NoLibrary."""
        self._producing = Producing(settings)

    async def send(self, events: Sequence[Outgoing]) -> Taken:
        try:
            return await apart(partial(self._producing.hand_over, events))
        except asyncio.CancelledError:
            self._producing.give_up()
            raise

    async def close(self) -> None:
        self._producing.give_up()
        await apart(self._producing.close)


INFO = SinkKind("kafka", "Apache Kafka", SETTINGS, WRITERS["ocsf"], _Kafka)
