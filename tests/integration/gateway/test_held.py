# SPDX-License-Identifier: Apache-2.0
"""Requests that a real gateway holds until somebody said yes, with Modbus on both sides as it stands on the wire."""

import asyncio
import time

import msgspec

from portineria.dataplane.gateway.held import QUESTIONS
from portineria.policy.function_profile import OBSERVING, Clause, Profile, encode_profile
from portineria.protocols.operation import Kind
from portineria.wire.report import Event
from portineria.wire.statement import HoldAnswer
from tests.integration.end import End, Stream
from tests.integration.gateway.conftest import Plant
from tests.integration.gateway.test_freeze import freeze
from tests.integration.gateway.test_functions import READ, READ_ANSWER, REFUSED, WRITE, heard, modbus
from tests.integration.gateway.test_transfer import BEGIN, umas
from tests.integration.process import eventually

HOLDING = Profile("holding", OBSERVING, hold=(Clause((Kind.WRITE,)),))
OTHER = WRITE[:-1] + b"\xb5"
_MS = 1000


def permit(plant: Plant, end: End | None = None, *, client_timeout_ms: int = 0, profile: Profile = HOLDING) -> None:
    plant.device.answer = modbus
    asset = msgspec.structs.replace(plant.asset, protocol="modbus", client_timeout_ms=client_timeout_ms)
    (end or plant.end).permit([asset], profiles=[encode_profile(profile)])


def held(plant: Plant) -> list[Event]:
    return plant.authority.found(plant.gateway, "operation.held")


async def asked(plant: Plant, number: int = 1) -> Event:
    """The question with this number, counted from one."""
    await eventually(lambda: len(held(plant)) >= number, f"{number} questions")
    return held(plant)[number - 1]


def answer(plant: Plant, to: Event, *, allowed: bool, **fields: object) -> None:
    said = HoldAnswer(
        gateway=plant.gateway, session=to.session, question=bytes.fromhex(str(to.fields["question"])),
        request_sha256=bytes.fromhex(str(to.fields["request_sha256"])), allowed=allowed,
        not_after_ms=round(time.time() * _MS) + 120 * _MS,
    )  # fmt: skip
    plant.authority.send(plant.gateway, msgspec.structs.replace(said, **fields))


async def says(stream: Stream, request: bytes, expected: bytes) -> None:
    before = len(stream.tool.heard)
    await stream.say(request)
    assert (await stream.heard(before + len(expected)))[before:] == expected


async def test_a_yes_in_time_sends_it_once_and_nothing_overtakes_it(plant: Plant) -> None:
    permit(plant)
    stream, other = await plant.end.open(), await plant.end.open()
    await stream.say(READ + WRITE + READ)
    question = await asked(plant)
    assert question.fields.items() >= {
        "function": "write-single-register", "targets": "holding 104", "values": "180", "reason": "hold",
        "profile": "holding", "hold_ms": 1800, "answer_s": 120, "besides": "",
    }.items()  # fmt: skip
    await says(other, READ, READ_ANSWER)
    assert heard(plant) == READ + READ
    assert bytes(stream.tool.heard) == READ_ANSWER

    answer(plant, question, allowed=True)
    assert await stream.heard(34) == READ_ANSWER + WRITE + READ_ANSWER
    released = await plant.authority.event(plant.gateway, "operation.released")
    assert (released.fields["how"], released.fields["stream"]) == ("hold.held", stream.name)

    answer(plant, question, allowed=True)  # said twice, over two relays
    await stream.say(WRITE)
    again = await asked(plant, 2)
    assert again.fields["request_sha256"] == question.fields["request_sha256"]
    answer(plant, question, allowed=True)  # the answer to what was asked before
    answer(plant, again, allowed=False)
    assert (await stream.heard(43))[34:] == REFUSED
    await says(stream, WRITE, REFUSED)  # a no holds for a while: nobody is asked again
    assert heard(plant).count(WRITE) == 1
    assert len(held(plant)) == 2
    await plant.authority.event(plant.gateway, "operation.hold-refused", reason="hold.no")


async def test_a_late_yes_arms_exactly_that_request_of_that_session_once(plant: Plant) -> None:
    permit(plant, client_timeout_ms=500)
    stream = await plant.end.open()
    began = time.monotonic()
    await says(stream, WRITE, REFUSED)
    assert 0.25 < time.monotonic() - began < 2
    question = await asked(plant)
    assert question.fields["hold_ms"] == 300
    await plant.authority.event(plant.gateway, "operation.hold-refused", reason="hold.deadline")

    wrong = {"request_sha256": bytes(32), "question": bytes(32), "session": "ses_" + "a" * 16, "not_after_ms": 1}
    for name, value in wrong.items():
        answer(plant, question, allowed=True, **{name: value})
    await says(stream, WRITE, REFUSED)  # still the same question, held once more
    answer(plant, question, allowed=True)
    armed = await plant.authority.event(plant.gateway, "operation.armed")
    assert 110 < int(armed.fields["seconds"]) <= 120

    rival = plant.another_end()
    rival.assets = plant.end.assets
    permit(plant, rival, client_timeout_ms=500)
    elsewhere = await rival.open()
    await says(elsewhere, WRITE, REFUSED)
    await says(stream, OTHER, REFUSED)
    assert heard(plant) == b""
    retried = b"\x77\x77" + WRITE[2:]
    await says(await plant.end.open(), retried, retried)  # on another connection, with another number
    released = await plant.authority.event(plant.gateway, "operation.released")
    assert released.fields["how"] == "hold.armed"
    await says(stream, WRITE, REFUSED)
    assert heard(plant) == retried
    assert [event.session for event in held(plant)].count(rival.session) == 1


async def test_a_yes_while_the_session_stands_still_sends_nothing_and_arms(plant: Plant) -> None:
    permit(plant, client_timeout_ms=30_000)
    stream = await plant.end.open()
    await stream.say(WRITE)
    question = await asked(plant)
    await freeze(plant, 1)
    answer(plant, question, allowed=True)
    assert await stream.heard(len(REFUSED)) == REFUSED
    await plant.authority.event(plant.gateway, "operation.armed")
    await stream.say(WRITE)  # waits undecided
    assert heard(plant) == b""
    await freeze(plant, 2, stands=False)
    assert (await stream.heard(len(REFUSED) + len(WRITE)))[len(REFUSED) :] == WRITE
    assert heard(plant) == WRITE


async def test_a_program_that_is_held_is_not_being_written_yet(plant: Plant) -> None:
    programs = Profile("programs", OBSERVING, hold=(Clause((Kind.PROGRAM_WRITE,)),))
    permit(plant, client_timeout_ms=30_000, profile=programs)
    plant.device.answer = umas
    stream = await plant.end.open()
    await stream.say(BEGIN)
    question = await asked(plant)
    assert plant.authority.found(plant.gateway, "session.transferring") == []
    answer(plant, question, allowed=True)
    await plant.authority.event(plant.gateway, "session.transferring")
    assert heard(plant) == BEGIN


async def test_what_is_held_dies_with_its_connection_and_retries_are_one_question(plant: Plant) -> None:
    permit(plant, client_timeout_ms=30_000)
    closing, gone = await plant.end.open(), await plant.end.open()
    await closing.say(WRITE)
    flood = asyncio.ensure_future(gone.say(WRITE + READ * 600_000))  # 7 MB, of which the window takes 4 MiB
    question = await asked(plant)
    assert question.fields["hold_ms"] == 18_000
    await eventually(lambda: gone.tool.paused, "a full window")
    await says(await plant.end.open(), READ, READ_ANSWER)
    flood.cancel()
    closing.say_end()
    await closing.ended("finished")
    gone.hang_up()
    await plant.authority.event(plant.gateway, "stream.closed", stream=gone.name)
    answer(plant, question, allowed=True)
    await plant.authority.event(plant.gateway, "operation.armed")
    assert heard(plant) == READ
    assert bytes(closing.tool.heard) == REFUSED
    assert len(held(plant)) == 1


async def test_questions_are_bounded_and_what_waits_behind_one_waits_no_longer_than_it(plant: Plant) -> None:
    permit(plant, client_timeout_ms=500)
    stream = await plant.end.open()
    values = [WRITE[:-1] + bytes((value,)) for value in range(20)]
    began = time.monotonic()
    await says(stream, b"".join(values), REFUSED * 20)
    assert time.monotonic() - began < 3
    await plant.authority.event(plant.gateway, "operation.hold-refused", reason="hold.many")
    assert len(held(plant)) == QUESTIONS
    assert heard(plant) == b""
    await says(stream, READ, READ_ANSWER)
