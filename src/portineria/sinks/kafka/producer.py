# SPDX-License-Identifier: Apache-2.0
"""One producer of librdkafka, asked for a batch at a time. Its waiting is done in threads, one after the other.

Idempotent and ``acks=all``: what it tries again by itself comes neither twice nor in another order. Where it gives up,
what it still holds is taken back before anything else is sent, so that no later event overtakes an earlier one.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from portineria.sinks.kafka.message import WRITERS, headers, key
from portineria.sinks.kind import Away, NoLibrary, Taken
from portineria.sinks.outgoing import PRODUCT, Outgoing
from portineria.sinks.setting import BadSetting
from portineria.sinks.trust import client_tls

DELIVERED_S = 60.0  # a batch; less than who delivers waits
_LOOK_S = 0.1
_NEVER = ("MSG_SIZE_TOO_LARGE", "INVALID_MSG", "INVALID_RECORD")  # of one record, however often it comes
_PENDING = "pending"


class Producing:
    def __init__(self, settings: Mapping[str, str]) -> None:
        """Raise BadSetting, NoLibrary."""
        try:  # an extra: only whoever sends to Kafka needs it
            import confluent_kafka
        except ImportError as error:
            raise NoLibrary("kafka") from error
        self._kafka: Any = confluent_kafka
        self._topic, self._write = settings["topic"], WRITERS[settings["format"]]
        self._options = {**_options(settings), "error_cb": self._told}
        self._producer: Any = None
        self._alone = threading.Lock()
        self._over = threading.Event()
        self._down = ""

    def hand_over(self, events: Sequence[Outgoing]) -> Taken:
        """Raise Away."""
        with self._alone:
            self._over.clear()
            if self._producer is None:
                self._down = ""
                self._producer = self._kafka.Producer(self._options, logger=logging.getLogger("kafka"))
            outcomes = [_PENDING] * len(events)
            for place, event in enumerate(events):
                self._produce(place, event, outcomes)
            self._wait(outcomes)
            if _PENDING in outcomes:
                self._take_back()
            return _taken(outcomes, self._down)

    def _produce(self, place: int, event: Outgoing, outcomes: list[str]) -> None:
        def delivered(error: Any, _record: Any) -> None:
            outcomes[place] = "" if error is None else error.name()

        try:
            self._producer.produce(
                self._topic, self._write(event), key=key(event), headers=headers(event), on_delivery=delivered
            )
        except self._kafka.KafkaException as error:
            outcomes[place] = error.args[0].name()

    def _wait(self, outcomes: list[str]) -> None:
        until = time.monotonic() + DELIVERED_S
        while _PENDING in outcomes and not (self._over.is_set() or self._down) and time.monotonic() < until:
            self._producer.poll(_LOOK_S)

    def _take_back(self) -> None:
        """Nothing of it is sent any more. What was on its way may have arrived: it comes again."""
        self._producer.purge()
        self._producer.poll(0)
        self._producer = None

    def _told(self, error: Any) -> None:
        """Of the connection. Single brokers come and go; nothing is said of those."""
        if error.fatal() or error.name() in ("_ALL_BROKERS_DOWN", "_AUTHENTICATION"):
            self._down = error.name()

    def give_up(self) -> None:
        """From another thread: whoever waits for a batch stops."""
        self._over.set()

    def close(self) -> None:
        with self._alone:
            if self._producer is not None:
                self._take_back()


def _taken(outcomes: Sequence[str], down: str) -> Taken:
    """Raise Away where not even the first is known to have arrived."""
    refused = dict[int, str]()
    for place, outcome in enumerate(outcomes):
        if outcome in _NEVER:
            refused[place] = f"Kafka: {outcome}"
        elif outcome:
            why = _why(down or outcome)
            if not place:
                raise Away(why)
            return Taken(place, refused, Away(why))
    return Taken(len(outcomes), refused)


def _why(name: str) -> str:
    """By the name that librdkafka has for it."""
    known = {"_ALL_BROKERS_DOWN": "no broker can be reached, or none is believed", _PENDING: "no answer in time"}
    return known.get(name, f"Kafka: {name}")


def _options(settings: Mapping[str, str]) -> dict[str, Any]:
    """Raise BadSetting."""
    encrypted, user = settings["transport"] == "tls", settings["user"]
    if bool(user) != bool(settings["password"]):
        raise BadSetting("password", "a name and a password belong together")
    if user and not encrypted:
        raise BadSetting("transport", "a password goes over TLS only")
    found = {
        "bootstrap.servers": settings["brokers"], "client.id": PRODUCT.lower(), "acks": "all",
        "enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 5, "compression.type": "lz4",
        "delivery.timeout.ms": int(DELIVERED_S * 1000), "socket.timeout.ms": 20_000, "log_level": 3,
        "allow.auto.create.topics": False,
        "security.protocol": ("SASL_" if user else "") + ("SSL" if encrypted else "PLAINTEXT"),
    }  # fmt: skip
    if user:
        found |= {
            "sasl.mechanism": settings["mechanism"], "sasl.username": user, "sasl.password": settings["password"],
        }  # fmt: skip
    return found | (_tls(settings) if encrypted else {})


def _tls(settings: Mapping[str, str]) -> dict[str, str]:
    """Names are always checked. Raise BadSetting for a key that is another certificate's."""
    client_tls(settings)
    given = {
        "ssl.ca.pem": settings["authorities"], "ssl.certificate.pem": settings["certificate"],
        "ssl.key.pem": settings["key"],
    }  # fmt: skip
    found = {name: value for name, value in given.items() if value}
    return found | {"ssl.endpoint.identification.algorithm": "https", "enable.ssl.certificate.verification": "true"}
