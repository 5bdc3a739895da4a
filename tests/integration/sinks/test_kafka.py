# SPDX-License-Identifier: Apache-2.0
"""Events as records of Kafka: in order within an organisation, each at least once, whatever happens to the brokers."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from portineria.sinks.catalogue import kind_of
from portineria.sinks.kind import Away, Sender, Taken
from portineria.sinks.setting import BadSetting, cleaned
from tests.integration.sinks.certificates import Authority
from tests.integration.sinks.kafka_broker import Brokers, Kept
from tests.unit.sinks.events import outgoing

OTHER = "org_bbbbbbbbbbbbbbbb"
HOSTILE = '\r\n"}\x00\u2028{"code":"x"}'


@pytest.fixture
def brokers() -> Iterator[Brokers]:
    made = Brokers("ot-events")
    yield made
    made.close()


def opened(place: str, **changed: str) -> Sender:
    kind = kind_of("kafka")
    assert kind is not None
    given = {"brokers": place, "topic": "ot-events", "transport": "tcp", **changed}
    return kind.open(cleaned(kind.settings, given))


def seqs(kept: list[Kept], organisation: str = "org_aaaaaaaaaaaaaaaa") -> list[int]:
    own = [record for record in kept if record.key == organisation.encode()]
    assert len({record.partition for record in own}) == 1
    return [json.loads(record.value)["metadata"]["sequence"] for record in own]


def first_times(found: list[int]) -> list[int]:
    return list(dict.fromkeys(found))


async def test_records_are_in_order_and_nothing_is_lost_by_brokers_that_stand_still_or_die(brokers: Brokers) -> None:
    sender = opened(brokers.addresses)
    events = [outgoing("operation.refused", seq, targets=HOSTILE) for seq in range(1, 301)]
    mixed = [replace(outgoing("access.grant.given", seq), organisation=OTHER) for seq in range(1, 11)]
    assert await sender.send(events[:200]) == Taken(200)
    assert await sender.send(mixed) == Taken(10)
    huge = outgoing("operation.refused", 201)
    huge = replace(huge, fields={f"field{number}": "x" * 2000 for number in range(600)})
    taken = await sender.send([huge, events[201]])
    assert (taken.count, taken.refused) == (2, {0: "Kafka: MSG_SIZE_TOO_LARGE"})
    brokers.freeze()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await sender.send(events[202:250])
    brokers.thaw()
    assert await sender.send(events[202:250]) == Taken(48)
    assert await sender.send(events[250:]) == Taken(50)
    kept = await asyncio.to_thread(brokers.kept, 309)
    assert first_times(seqs(kept)) == [*range(1, 201), *range(202, 301)]
    assert seqs(kept, OTHER) == list(range(1, 11))
    first = next(record for record in kept if record.key != OTHER.encode())
    assert first.headers == {"id": b"org_aaaaaaaaaaaaaaaa-1", "code": b"operation.refused"}
    assert len(first.value.splitlines()) == 1
    brokers.stop()
    with pytest.raises(Away, match="no broker can be reached"):
        await sender.send(events[:1])
    await sender.close()


async def test_only_brokers_that_the_authorities_know_are_spoken_to(tmp_path: Path) -> None:
    """As far as TLS goes: the mock cluster has none, so that nothing behind it is asked."""
    authority, heard = Authority(), list[bytes]()
    (tmp_path / "chain.pem").write_text("".join(authority.issue("broker", "127.0.0.2")))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "chain.pem")

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    credentials = {"transport": "tls", "user": "portineria", "password": "hunter2"}
    for authorities in (Authority().certificate, authority.certificate):  # another one; the right one, another name
        sender = opened(place, authorities=authorities, **credentials)
        with pytest.raises(Away):
            await sender.send([outgoing()])
        await sender.close()
    server.close()
    assert heard == []


@pytest.mark.parametrize(
    "changed",
    [
        {"brokers": "kafka"}, {"brokers": "kafka:0"}, {"brokers": "a:1,"}, {"brokers": "a:1\nssl.ca.location=/x"},
        {"brokers": "fe80::1:9092"}, {"topic": "a/b"}, {"user": "x"}, {"password": "x", "transport": "tls"},
        {"user": "x", "password": "y"}, {"transport": "tls", "key": Authority().issue("x")[1]},
    ],
    ids=lambda changed: " ".join(changed),
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_sent(changed: dict[str, str]) -> None:
    with pytest.raises(BadSetting):
        opened("[::1]:9092, kafka.example:9092", **changed)
