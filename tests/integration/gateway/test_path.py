# SPDX-License-Identifier: Apache-2.0
"""Bytes from end to end, and back."""

import hashlib
import os

import pytest

from tests.integration.gateway.conftest import Plant
from tests.integration.process import eventually


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "spliced"])
async def test_the_technician_reaches_the_device(plant: Plant, nested: bool) -> None:
    plant.end.permit([plant.asset])
    stream = await plant.end.open(nested=nested)
    await stream.say(b"read register 100")
    assert await stream.heard(17) == b"read register 100"
    stream.say_end()
    await stream.ended("finished")

    opened = await plant.authority.event(plant.gateway, "stream.opened", plant.end.session)
    closed = await plant.authority.event(plant.gateway, "stream.closed", plant.end.session)
    assert opened.fields == {
        "stream": stream.name, "service": plant.asset.service, "address": plant.device.address, "port": 502,
        "transport": "tcp",
    }  # fmt: skip
    assert closed.fields == {
        "stream": stream.name, "to_device": 17, "from_device": 17, "how": "finished", "recognised": "unknown",
    }  # fmt: skip
    assert plant.device.connections[0].ended == "eof"


async def test_what_passes_unread_is_named_by_its_first_bytes(plant: Plant) -> None:
    """However they come; the device repeats what it hears. Of a connection without any nothing is said."""
    plant.end.permit([plant.asset])
    hello = b"SSH-2.0-OpenSSH_9.2\r\n"
    for pieces in ([hello[at : at + 1] for at in range(len(hello))], [hello + os.urandom(100_000)], []):
        stream = await plant.end.open()
        for piece in pieces:
            await stream.say(piece)
        await stream.heard(sum(map(len, pieces)))
        stream.say_end()
        await stream.ended("finished")
        closed = await plant.authority.event(plant.gateway, "stream.closed", stream=stream.name)
        assert closed.fields.get("recognised") == ("ssh" if pieces else None)


@pytest.mark.parametrize("nested", [True, False], ids=["nested", "spliced"])
async def test_twenty_megabytes_there_and_back_arrive_unchanged(plant: Plant, nested: bool) -> None:
    plant.end.permit([plant.asset])
    sent = os.urandom(20 << 20)
    stream = await plant.end.open(nested=nested)
    await stream.say(sent)
    stream.say_end()
    heard = await stream.heard(len(sent))
    assert hashlib.sha256(heard).digest() == hashlib.sha256(sent).digest()
    await stream.ended("finished")


async def test_events_arrive_in_order_and_are_forgotten_when_acknowledged(plant: Plant) -> None:
    plant.end.permit([plant.asset])
    for _ in range(5):
        stream = await plant.end.open()
        stream.hang_up()
    await eventually(lambda: len(plant.authority.found(plant.gateway, "stream.closed")) == 5)
    assert plant.authority.faults == []
    codes = [stored.event.code for stored in plant.authority.events[plant.gateway]]
    assert codes[:3] == ["gateway.started", "gateway.time.set", "order.accepted"]
    assert {event.fields["how"] for event in plant.authority.found(plant.gateway, "stream.closed")} == {"tool.reset"}
