# SPDX-License-Identifier: Apache-2.0
"""Function profiles in a real gateway, with Modbus on both sides as it stands on the wire."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from portineria.policy.function_profile import OBSERVE, TRIAL, Clause, Profile, Rate, encode_profile, operate
from portineria.policy.profile_text import parse_clause
from portineria.protocols.dnp3 import link
from portineria.protocols.operation import Kind
from portineria.wire.statement import Asset
from tests.integration.end import Refused
from tests.integration.gateway.conftest import Plant
from tests.integration.gateway.test_blips import resumed
from tests.integration.process import eventually
from tests.unit.protocols.dnp3.conversation import CROB, MASTER, OUTSTATION, confirmed_frames

READ = bytes.fromhex("000100000006 ff 03 0068 0001")  # holding 104
READ_ANSWER = bytes.fromhex("000100000005 ff 03 02 0078")
WRITE = bytes.fromhex("000200000006 ff 06 0068 00b4")  # 180 into it
REFUSED = bytes.fromhex("000200000003 ff 86 01")
WRITE_UNIT_3 = bytes.fromhex("000300000006 03 06 0068 00b4")
READ_UNIT_3 = bytes.fromhex("000400000006 03 03 0068 0001")


def modbus(data: bytes) -> bytes:
    """What a device says to whole requests of 12 bytes: 120 to a read, the same again to a write."""
    frames = [data[at : at + 12] for at in range(0, len(data), 12)]
    return b"".join(
        frame if frame[7] == 6 else frame[:4] + b"\x00\x05" + frame[6:8] + b"\x02\x00\x78" for frame in frames
    )


def permit(plant: Plant, *profiles: Profile, protocol: str = "modbus", own_routes: Sequence[str] = ()) -> None:
    plant.device.answer = modbus
    asset = msgspec.structs.replace(plant.asset, protocol=protocol, own_routes=[[route] for route in own_routes])
    plant.end.permit([asset], profiles=[encode_profile(profile) for profile in profiles])


def heard(plant: Plant) -> bytes:
    return b"".join(bytes(connection.heard) for connection in plant.device.connections)


async def test_a_refused_write_is_answered_never_arrives_and_stands_in_the_register(plant: Plant) -> None:
    permit(plant, OBSERVE)
    stream = await plant.end.open()
    await stream.say(READ + WRITE)
    assert await stream.heard(20) == REFUSED + READ_ANSWER
    await stream.say(READ)
    assert (await stream.heard(31))[20:] == READ_ANSWER
    stream.say_end()
    await stream.ended("finished")

    assert heard(plant) == READ + READ
    refused = await plant.authority.event(plant.gateway, "operation.refused", plant.end.session)
    assert refused.fields == {
        "stream": stream.name, "service": plant.asset.service, "profile": "observe", "protocol": "modbus",
        "function": "write-single-register", "code": "6", "operation": "write", "targets": "holding 104",
        "route": "unit 255", "reason": "function", "count": 1,
    }  # fmt: skip
    closed = await plant.authority.event(plant.gateway, "stream.closed", plant.end.session)
    assert closed.fields == {
        "stream": stream.name, "to_device": 24, "from_device": 22, "how": "finished", "refused": 1,
    }  # fmt: skip


async def test_a_client_that_waits_for_a_word_before_the_rest_of_its_request_gets_it(plant: Plant) -> None:
    """DNP3 with confirmation by the link: the no comes behind the last frame, and the device hears nothing."""
    permit(plant, OBSERVE, protocol="dnp3")
    stream, ack = await plant.end.open(), link.frame(link.ACK, MASTER, OUTSTATION)
    command = bytes.fromhex("c0050c01281e00") + b"".join(bytes((n, 0)) + bytes.fromhex(CROB)[7:] for n in range(30))
    first, last = confirmed_frames(command, 0, bit=True)
    await stream.say(first)
    assert await stream.heard(10) == ack
    await stream.say(last)
    assert (await stream.heard(30))[10:20] == ack
    assert heard(plant) == b""


async def test_limits_targets_and_rates_decide_about_each_write(plant: Plant) -> None:
    clause = parse_clause("write on holding 100-119 between 0 and 180 at most 2 per 600 s")
    permit(plant, operate("setpoints", [clause]))
    stream = await plant.end.open()
    good, high, elsewhere = WRITE, WRITE[:-1] + b"\xb5", WRITE[:9] + b"\x78" + WRITE[10:]
    for request, passes in ((good, True), (high, False), (elsewhere, False), (good, True), (good, False)):
        before = len(stream.tool.heard)
        await stream.say(request)
        answer = request if passes else REFUSED
        assert (await stream.heard(before + len(answer)))[before:] == answer
    assert heard(plant) == good + good
    await eventually(lambda: len(plant.authority.found(plant.gateway, "operation.refused")) == 3, "three refusals")
    told = [event.fields["reason"] for event in plant.authority.found(plant.gateway, "operation.refused")]
    assert told == ["value", "target", "rate"]


async def test_another_unit_is_another_device_unless_the_order_says_otherwise(plant: Plant) -> None:
    permit(plant, OBSERVE)
    stream = await plant.end.open()
    await stream.say(READ_UNIT_3)
    assert await stream.heard(9) == bytes.fromhex("000400000003 03 83 01")
    refused = await plant.authority.event(plant.gateway, "operation.refused")
    assert (refused.fields["route"], refused.fields["reason"]) == ("unit 3", "route")

    permit(plant, OBSERVE, own_routes=["unit 3"])
    await plant.authority.event(plant.gateway, "order.accepted", order_seq=2)
    own = await plant.end.open()
    await own.say(READ_UNIT_3 + READ)
    assert len(await own.heard(20)) == 20
    assert heard(plant) == READ_UNIT_3


async def test_on_trial_everything_passes_and_what_would_have_been_refused_is_told(plant: Plant) -> None:
    permit(plant, TRIAL)
    stream = await plant.end.open()
    await stream.say(WRITE)
    assert await stream.heard(12) == WRITE
    noted = await plant.authority.event(plant.gateway, "operation.would-refuse")
    assert (noted.fields["profile"], noted.fields["function"]) == ("trial", "write-single-register")
    assert plant.authority.found(plant.gateway, "operation.refused") == []


async def test_without_a_profile_everything_that_can_be_decoded_passes(plant: Plant) -> None:
    permit(plant)
    stream = await plant.end.open()
    await stream.say(WRITE + WRITE_UNIT_3)
    assert await stream.heard(24) == WRITE + WRITE_UNIT_3


async def test_bytes_of_another_protocol_end_the_stream_and_are_told(plant: Plant) -> None:
    permit(plant, OBSERVE)
    stream = await plant.end.open()
    await stream.say(READ + b"GET / HTTP/1.1\r\n\r\n")
    await stream.ended("protocol.undecodable")
    closed = await plant.authority.event(plant.gateway, "stream.closed")
    assert closed.fields["how"] == "protocol.undecodable"
    await eventually(lambda: plant.device.connections[0].ended == "reset", "the reset of the device's connection")
    assert heard(plant) in (b"", READ)


async def test_a_narrower_profile_holds_at_once_for_what_runs(plant: Plant) -> None:
    permit(plant, Profile("all", (Clause(),)))
    stream = await plant.end.open()
    await stream.say(WRITE)
    assert await stream.heard(12) == WRITE
    permit(plant, Profile("all", (Clause(),)), OBSERVE)
    await plant.authority.event(plant.gateway, "order.accepted", order_seq=2)
    await stream.say(WRITE)
    assert (await stream.heard(21))[12:] == REFUSED
    assert heard(plant) == WRITE


async def test_a_stream_that_ran_uninspected_ends_when_its_service_is_to_be_inspected(plant: Plant) -> None:
    permit(plant, protocol="")
    stream = await plant.end.open()
    await stream.say(WRITE)
    await stream.heard(12)
    permit(plant, OBSERVE)
    await stream.ended("functions.changed")
    anew = await plant.end.open()
    await anew.say(WRITE)
    assert await anew.heard(9) == REFUSED


async def test_a_request_that_arrives_over_two_legs_is_decided_whole(plant: Plant) -> None:
    permit(plant, OBSERVE)
    stream = await plant.end.open()
    await stream.say(READ + WRITE[:7])
    await stream.heard(11)
    assert stream.leg is not None
    stream.leg.abort()
    await resumed(plant.end, stream)
    await stream.say(WRITE[7:] + READ)
    assert (await stream.heard(31))[11:] == REFUSED + READ_ANSWER
    assert heard(plant) == READ + READ


async def test_a_client_that_hammers_is_told_in_few_events_with_the_whole_number(plant: Plant) -> None:
    """Five hundred different targets, and one of them a thousand times."""
    permit(plant, OBSERVE)
    stream = await plant.end.open()
    requests = [WRITE] * 1000 + [WRITE[:8] + number.to_bytes(2, "big") + WRITE[10:] for number in range(500)]
    await stream.say(b"".join(requests))
    await stream.heard(1500 * 9)
    stream.say_end()
    await stream.ended("finished")
    closed = await plant.authority.event(plant.gateway, "stream.closed")
    assert closed.fields["refused"] == 1500
    told = plant.authority.found(plant.gateway, "operation.refused")
    assert sum(int(event.fields["count"]) for event in told) == 1500
    assert len(told) <= 40
    assert heard(plant) == b""


async def test_a_rate_is_shared_by_all_connections_of_a_session(plant: Plant) -> None:
    permit(plant, Profile("slow", (Clause((Kind.WRITE,), rate=Rate(1, 600)),)))
    first, second = await plant.end.open(), await plant.end.open()
    await first.say(WRITE)
    assert await first.heard(12) == WRITE
    await second.say(WRITE)
    assert await second.heard(9) == REFUSED


NOT_ENFORCEABLE = [
    ("telex", [encode_profile(OBSERVE)], "protocol.not-inspected"),
    ("telex", [], "protocol.not-inspected"),
    ("", [encode_profile(OBSERVE)], "protocol.not-inspected"),
    ("modbus", [b"\x81\xa4name"], "profile.unreadable"),
    ("modbus", [msgspec.msgpack.encode({"name": "x", "weekday": 1})], "profile.unreadable"),
]


async def test_what_a_gateway_cannot_enforce_it_refuses_as_a_whole(plant: Plant) -> None:
    for protocol, profiles, reason in NOT_ENFORCEABLE:
        end = plant.another_end()
        end.permit([Asset(plant.asset.service, plant.device.address, 502, protocol=protocol)], profiles=profiles)
        refused = await plant.authority.event(plant.gateway, "order.refused", end.session)
        assert refused.fields["reason"] == reason
    assert plant.authority.found(plant.gateway, "order.accepted") == []
    assert "modbus" in plant.authority.gateways[plant.gateway].questions[-1].inspects


async def test_nothing_of_an_inspected_service_is_opened_under_another_name(plant: Plant) -> None:
    """The port of the order with a service that it does not name."""
    permit(plant, OBSERVE)
    other = msgspec.structs.replace(plant.asset, service="srv_aaaaaaaaaaaaaaaa")
    with pytest.raises(Refused, match=r"service\.not-granted"):
        await plant.end.open(other)
    await asyncio.sleep(0)
    assert plant.device.connections == []
