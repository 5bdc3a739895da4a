# SPDX-License-Identifier: Apache-2.0
"""Brokers of Kafka in a process of their own: librdkafka's mock cluster, which speaks the protocol over real sockets.

It keeps records in memory, knows neither TLS nor passwords, and checks producer ids and sequence numbers. No broker of
Kafka's own is packaged without a Java machine.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

WAIT_S = 20.0
PROGRAM = """
import logging, sys
from confluent_kafka.admin import AdminClient
brokers = AdminClient({"bootstrap.servers": "x", "test.mock.num.brokers": 3}, logger=logging.getLogger("mock"))
found = brokers.list_topics(timeout=10).brokers.values()
print(",".join(f"{one.host}:{one.port}" for one in found), flush=True)
sys.stdin.read()
"""


@dataclass
class Kept:
    partition: int
    key: bytes
    value: bytes
    headers: dict[str, bytes]


class Brokers:
    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.addresses = self._process.stdout.readline().strip()
        from confluent_kafka import Consumer

        # The mock makes a topic when somebody asks for it and allows that; a sink never does.
        self._consumer: Any = Consumer(
            {"bootstrap.servers": self.addresses, "group.id": "test", "auto.offset.reset": "earliest",
             "allow.auto.create.topics": True, "enable.auto.commit": False}
        )  # fmt: skip
        self.partitions = len(self._consumer.list_topics(topic, timeout=10).topics[topic].partitions)

    def kept(self, count: int) -> list[Kept]:
        """At least so many, and whatever comes within half a second behind them."""
        from confluent_kafka import OFFSET_BEGINNING, TopicPartition

        self._consumer.assign(
            [TopicPartition(self._topic, number, OFFSET_BEGINNING) for number in range(self.partitions)]
        )
        found, until = list[Kept](), time.monotonic() + WAIT_S
        while time.monotonic() < until:
            record = self._consumer.poll(0.5 if len(found) >= count else 1.0)
            if record is None:
                if len(found) >= count:
                    break
            elif not record.error():
                found.append(Kept(record.partition(), record.key(), record.value(), dict(record.headers() or [])))
        self._consumer.unassign()
        return found

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def close(self) -> None:
        self.thaw()
        self._consumer.close()
        if self._process.returncode is None:
            self.stop()
