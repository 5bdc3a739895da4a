# SPDX-License-Identifier: Apache-2.0
"""The plant's own list, which no order can widen, and the addresses that are never dialled (WIRE 7)."""

import socket

import pytest

from portineria.core.ids import Kind, new_id
from portineria.wire.statement import Asset
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import Plant
from tests.integration.gateway.test_orders import refusal
from tests.integration.process import eventually, free_port


def at(address: str, port: int = 502) -> Asset:
    return Asset(new_id(Kind.SERVICE), address, port)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "0.0.0.0", "0.1.2.3", "169.254.1.1", "fe80::1", "224.0.0.1",
     "ff02::1", "255.255.255.255", "::", "plc.example", "2130706433", "198.18.0.1 "],
)  # fmt: skip
async def test_what_is_no_device_of_a_plant_is_refused_whatever_the_list_says(plant: Plant, address: str) -> None:
    plant.process.allow("0.0.0.0/0:1-65535", "[::/0]:1-65535")
    plant.end.permit([at(address)])
    assert await refusal(plant.end) == "address.refused"


async def test_the_gateways_own_addresses_are_refused(plant: Plant, floor: Floor) -> None:
    """There is even somebody listening: a service of the gateway's own machine."""
    with socket.create_server((floor.gateway_address, 0)) as own:
        plant.process.allow("0.0.0.0/0:1-65535")
        plant.end.permit([at(floor.gateway_address, own.getsockname()[1])])
        assert await refusal(plant.end) == "address.refused"
        own.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody knocked
            own.accept()


async def test_an_order_cannot_widen_the_reach_list(plant: Plant, floor: Floor) -> None:
    plant.process.allow(f"{plant.device.address}/32:502")
    beside, other_port = at(floor.address(11)), at(plant.device.address, 503)
    plant.end.permit([plant.asset, beside, other_port])
    assert await refusal(plant.end, asset=beside) == "reach.refused"
    assert await refusal(plant.end, asset=other_port) == "reach.refused"
    stream = await plant.end.open()
    await stream.say(b"listed")
    assert await stream.heard(6) == b"listed"


async def test_narrowing_the_list_ends_what_it_no_longer_allows(plant: Plant, floor: Floor) -> None:
    second = Device(floor, number=11)
    try:
        plant.end.permit([plant.asset, at(second.address)])
        kept, ended = await plant.end.open(), await plant.end.open(plant.end.assets[1])
        plant.process.allow(f"{plant.device.address}/32:502")
        await ended.ended("cut")
        await eventually(lambda: second.connections[0].ended == "reset")
        await kept.say(b"kept")
        assert await kept.heard(4) == b"kept"
    finally:
        second.close()


@pytest.mark.parametrize("text", ["[[reach]]\naddress = 1\n", "not toml", '[[reach]]\naddress="a"\nports="1"\n', ""])
async def test_a_list_that_cannot_be_read_allows_nothing(plant: Plant, text: str) -> None:
    plant.end.permit([plant.asset])
    plant.process.state.reach.write_text(text)
    assert await refusal(plant.end) == "reach.refused"


async def test_a_device_that_refuses_or_stays_silent_is_told_apart(plant: Plant, floor: Floor) -> None:
    nobody, closed = at(floor.address(99)), at(plant.device.address, free_port())
    plant.end.permit([nobody, closed])
    assert await refusal(plant.end, asset=closed) == "device.refused"
    assert await refusal(plant.end, asset=nobody) in ("device.silent", "device.unreachable")
    reasons = {event.fields["reason"] for event in plant.authority.found(plant.gateway, "stream.refused")}
    assert "device.refused" in reasons
