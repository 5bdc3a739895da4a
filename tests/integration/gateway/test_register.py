# SPDX-License-Identifier: Apache-2.0
"""A gateway keeps the newest checkpoint of its organisation's register, and says so when a newer one contradicts it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.core.ids import Kind, new_id
from portineria.dataplane.gateway.register import Memory, read
from portineria.dataplane.gateway.status import read_status
from portineria.wire.report import Question
from portineria.wire.statement import Additions, RegisterCheckpoint
from tests.integration.authority import Authority
from tests.integration.end import End
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import asset_of
from tests.integration.gateway_process import GatewayProcess
from tests.integration.process import eventually
from tests.integration.sealed_register import SealedRegister

ALARM = 4
CLI = "import sys; from portineria.cli.main import main; sys.exit(main(sys.argv[1:]))"


class Cabinet:
    """A gateway that asks five times a second, and the register it is shown."""

    def __init__(self, authority: Authority, process: GatewayProcess) -> None:
        self.authority, self.process = authority, process

    @property
    def gateway(self) -> str:
        return self.process.gateway

    @property
    def register(self) -> SealedRegister:
        return self.authority.register

    @property
    def questions(self) -> list[Question]:
        return self.authority.gateways[self.gateway].questions

    @property
    def memory(self) -> Memory:
        return read(self.process.state.spool)

    async def keeps(self, size: int) -> None:
        await eventually(
            lambda: bool(self.questions) and self.questions[-1].register_size == size,
            f"{size} kept",
        )

    async def asks(self, times: int = 2) -> None:
        """So often more: what was said before is dealt with then."""
        before = len(self.questions)
        await eventually(lambda: len(self.questions) >= before + times, "more questions")

    async def answered(self, made: Callable[[Question], RegisterCheckpoint | None]) -> None:
        """Questions are answered with this from now on; return when one was and its answer has been dealt with."""
        self.authority.checkpoint = lambda _, question: made(question)
        await self.asks(3)

    def note_of(self, register: SealedRegister, **other: object) -> Callable[[Question], RegisterCheckpoint]:
        """The newest of this register with its own proof; ``other`` replaces parts of the letter."""

        def made(question: Question) -> RegisterCheckpoint:
            kept = question.register_size or 0
            letter = RegisterCheckpoint(self.gateway, question.nonce, register.note(), kept, register.proof(kept))
            return msgspec.structs.replace(letter, **other)

        return made

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        command = [sys.executable, "-c", CLI, "gateway", *arguments, "--state", str(self.process.state.directory)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
async def cabinet(authority: Authority, floor: Floor, tmp_path: Path) -> AsyncIterator[Cabinet]:
    """Linked; nothing sealed yet."""
    process = GatewayProcess(
        authority, tmp_path / "gateway", reach=[f"{floor.network}:1-65535"], time_every_s=0.2, register_every_s=0.0
    )
    authority.admit(process.gateway)
    await process.start()
    await authority.linked(process.gateway)
    yield Cabinet(authority, process)
    await process.end()


async def regressed(cabinet: Cabinet, reason: str) -> None:
    event = await cabinet.authority.event(cabinet.gateway, "register.regressed")
    assert event.fields["reason"] == reason


async def test_the_first_checkpoint_is_kept_and_what_grew_replaces_it(cabinet: Cabinet) -> None:
    await cabinet.keeps(0)
    for size in (1, 5, 6, 300 - 45):
        cabinet.register.grow(size - len(cabinet.register.leaves))
        await cabinet.keeps(size)
    assert cabinet.memory.note == cabinet.register.note()
    assert cabinet.memory.contradictions == []
    assert cabinet.authority.found(cabinet.gateway, "register.regressed") == []


async def test_what_is_kept_survives_a_restart_and_a_power_cut(cabinet: Cabinet) -> None:
    cabinet.register.grow(7)
    await cabinet.keeps(7)
    for size in range(8, 14):
        cabinet.register.grow(1)
        await cabinet.asks(1)
        await cabinet.process.kill()  # between two questions, anywhere in keeping what was answered
        asked = len(cabinet.questions)
        await cabinet.process.start()
        await eventually(lambda asked=asked: len(cabinet.questions) > asked)  # type: ignore[misc]
        assert cabinet.questions[asked].register_size in (size - 1, size), "old or new, nothing between"
        await cabinet.keeps(size)
    await cabinet.process.end()
    before = len(cabinet.questions)
    await cabinet.process.start()
    await eventually(lambda: len(cabinet.questions) > before)
    assert cabinet.questions[before].register_size == 13
    assert cabinet.memory.contradictions == []


def smaller(cabinet: Cabinet) -> Callable[[Question], RegisterCheckpoint]:
    return cabinet.note_of(SealedRegister(cabinet.authority.organisation, cabinet.register.key).grow(8))


def another_root(cabinet: Cabinet) -> Callable[[Question], RegisterCheckpoint]:
    return cabinet.note_of(SealedRegister(cabinet.authority.organisation, cabinet.register.key).grow(9, "changed"))


def forked(cabinet: Cabinet) -> Callable[[Question], RegisterCheckpoint]:
    other = SealedRegister(cabinet.authority.organisation, cabinet.register.key).grow(5).grow(15, "changed")
    return cabinet.note_of(other)


def without_its_proof(cabinet: Cabinet) -> Callable[[Question], RegisterCheckpoint]:
    grown = SealedRegister(cabinet.authority.organisation, cabinet.register.key).grow(20)
    return cabinet.note_of(grown, proof=[])


def with_a_wrong_proof(cabinet: Cabinet) -> Callable[[Question], RegisterCheckpoint]:
    grown = SealedRegister(cabinet.authority.organisation, cabinet.register.key).grow(20)
    return cabinet.note_of(grown, proof=[*grown.proof(9)[:-1], bytes(32)])


def of_another_organisation(cabinet: Cabinet) -> Callable[[Question], RegisterCheckpoint]:
    return cabinet.note_of(SealedRegister(new_id(Kind.ORGANISATION), cabinet.register.key).grow(20))


def of_another_installation(cabinet: Cabinet) -> Callable[[Question], RegisterCheckpoint]:
    organisation, key = cabinet.authority.organisation, cabinet.register.key
    return cabinet.note_of(SealedRegister(organisation, key, installation="ins_other").grow(20))


CONTRADICTIONS = [
    (smaller, "smaller"), (another_root, "root"), (forked, "proof"), (without_its_proof, "proof"),
    (with_a_wrong_proof, "proof"), (of_another_organisation, "origin"), (of_another_installation, "origin"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "reason"), CONTRADICTIONS)
async def test_what_contradicts_it_is_an_alarm_that_stays(
    cabinet: Cabinet, made: Callable[[Cabinet], Callable[[Question], RegisterCheckpoint]], reason: str
) -> None:
    cabinet.register.grow(9)
    await cabinet.keeps(9)
    kept, answer = cabinet.memory.note, made(cabinet)
    await cabinet.answered(answer)
    await regressed(cabinet, reason)
    assert "register.regressed" in cabinet.process.said
    await cabinet.process.end()
    await cabinet.process.start()
    await cabinet.asks(3)
    assert cabinet.questions[-1].register_size == 9, "the old one stays"
    [evidence] = cabinet.memory.contradictions
    contradicting = answer(cabinet.questions[-1]).note
    assert (evidence.kept, evidence.note, evidence.reason, evidence.state) == (kept, contradicting, reason, "open")
    assert len(cabinet.authority.found(cabinet.gateway, "register.regressed")) == 1, "said once"
    assert cabinet.memory.note == kept
    status, said, _ = await cabinet.run("status")
    assert (status, "ALARM" in said, "checkpoint of 9 events" in said) == (ALARM, True, True)
    status, said, faults = await cabinet.run("register")
    assert (status, said, "Evidence 1: " in faults) == (ALARM, kept, True)
    assert (await cabinet.run("register", "--evidence", "1"))[1] == contradicting


async def test_an_alarm_stops_no_session(cabinet: Cabinet, device: Device, tmp_path: Path) -> None:
    cabinet.register.grow(9)
    await cabinet.keeps(9)
    end = End(cabinet.authority, cabinet.gateway, tmp_path)
    end.permit([asset_of(device)])
    stream = await end.open()
    await cabinet.answered(smaller(cabinet))
    await regressed(cabinet, "smaller")
    await stream.say(b"before and after")
    assert await stream.heard(16) == b"before and after"
    later = End(cabinet.authority, cabinet.gateway, tmp_path)
    later.permit([asset_of(device)])
    another = await later.open()
    await another.say(b"new")
    assert await another.heard(3) == b"new"
    for one in (stream, another):
        one.hang_up()


async def test_many_contradictions_leave_a_bounded_heap_of_evidence_with_the_first_and_the_newest(
    cabinet: Cabinet,
) -> None:
    cabinet.register.grow(100)
    await cabinet.keeps(100)
    other = SealedRegister(cabinet.authority.organisation, cabinet.register.key).grow(10)
    first = other.note()

    def growing(question: Question) -> RegisterCheckpoint:
        return cabinet.note_of(other.grow(1))(question)

    cabinet.authority.checkpoint = lambda _, question: growing(question)
    await eventually(lambda: len(other.leaves) > 32, "more than are kept")
    await cabinet.answered(cabinet.note_of(other))
    notes = [one.note for one in cabinet.memory.contradictions]
    assert len(notes) == 16
    assert (notes[0], notes[-1]) == (other.note(11), other.note())
    assert first not in notes
    assert len(cabinet.authority.found(cabinet.gateway, "register.regressed")) == 1


async def test_an_accepted_register_goes_on_and_the_evidence_stays(cabinet: Cabinet) -> None:
    cabinet.register.grow(9)
    await cabinet.keeps(9)
    restored = SealedRegister(cabinet.authority.organisation, cabinet.register.key).grow(6)
    await cabinet.answered(cabinet.note_of(restored))
    await regressed(cabinet, "smaller")
    status, said, faults = await cabinet.run("register", "--accept")
    assert (status, said) == (0, restored.note())
    assert "Accepted: it has fewer events" in faults
    event = await cabinet.authority.event(cabinet.gateway, "register.accepted")
    assert (event.fields["size"], event.fields["kept_size"]) == (6, 9)
    restored.grow(10, "after the restore")
    await cabinet.keeps(16)
    assert [one.state for one in cabinet.memory.contradictions] == ["told"]
    assert (await cabinet.run("status"))[0] == 0
    assert (await cabinet.run("register", "--accept"))[0] == 1, "there is nothing to accept any more"
    await cabinet.answered(cabinet.note_of(SealedRegister(cabinet.authority.organisation, restored.key).grow(3)))
    await eventually(lambda: len(cabinet.authority.found(cabinet.gateway, "register.regressed")) == 2, "a new alarm")
    assert len(cabinet.authority.found(cabinet.gateway, "register.accepted")) == 1


async def test_what_was_accepted_while_the_gateway_stood_is_told_when_it_starts(cabinet: Cabinet) -> None:
    cabinet.register.grow(9)
    await cabinet.keeps(9)
    restored = SealedRegister(cabinet.authority.organisation, cabinet.register.key).grow(6)
    await cabinet.answered(cabinet.note_of(restored))
    await regressed(cabinet, "smaller")
    await cabinet.process.end()
    assert (await cabinet.run("register", "--accept"))[:2] == (0, restored.note())
    await cabinet.process.start()
    await cabinet.authority.event(cabinet.gateway, "register.accepted")
    await cabinet.keeps(6)


async def test_the_register_of_somebody_else_never_becomes_the_kept_one(cabinet: Cabinet) -> None:
    cabinet.register.grow(9)
    await cabinet.keeps(9)
    await cabinet.answered(of_another_organisation(cabinet))
    await regressed(cabinet, "origin")
    cabinet.authority.checkpoint = cabinet.authority.checkpoint_of
    kept = cabinet.memory.note
    assert (await cabinet.run("register", "--accept"))[:2] == (0, kept)
    await cabinet.authority.event(cabinet.gateway, "register.accepted")
    cabinet.register.grow(1)
    await cabinet.keeps(10)


async def test_answers_that_a_relay_repeats_delays_or_mixes_are_no_alarm(cabinet: Cabinet) -> None:
    authority, sent = cabinet.authority, []

    def hoarded(_: str, question: Question) -> RegisterCheckpoint | None:
        """Every third answer goes through; the relay keeps all of them."""
        letter = authority.checkpoint_of(cabinet.gateway, question)
        sent.append(letter)
        return letter if len(sent) % 3 == 0 else None

    cabinet.register.grow(4)
    authority.checkpoint = hoarded
    for size in (4, 8, 11, 20):
        cabinet.register.grow(size - len(cabinet.register.leaves))
        await cabinet.keeps(size)
    authority.checkpoint = lambda *_: None
    for letter in (*sent, *reversed(sent)):
        if letter is not None:
            authority.send(cabinet.gateway, letter)
    await cabinet.asks(3)
    assert cabinet.questions[-1].register_size == 20
    assert cabinet.memory.contradictions == []
    assert "register.not-asked" in cabinet.process.said


async def test_two_answers_in_turn_do_not_lead_back(cabinet: Cabinet) -> None:
    """The older of two, asked for before either came, is late: it says nothing about what is kept by then."""
    cabinet.register.grow(4)
    await cabinet.keeps(4)
    held: list[RegisterCheckpoint] = []

    def hold(_: str, question: Question) -> None:
        cabinet.register.grow(1)
        held.append(cabinet.note_of(cabinet.register)(question))

    cabinet.authority.checkpoint = hold
    await eventually(lambda: len(held) >= 3, "three answers")
    cabinet.authority.checkpoint = lambda *_: None
    newest = held[-1]
    cabinet.authority.send(cabinet.gateway, newest)
    cabinet.authority.send(cabinet.gateway, held[-2])
    await cabinet.asks(3)
    assert cabinet.memory.note == newest.note
    assert cabinet.memory.contradictions == []


async def test_a_letter_that_answers_nothing_is_no_answer(cabinet: Cabinet) -> None:
    cabinet.register.grow(4)
    await cabinet.keeps(4)
    invented = RegisterCheckpoint(cabinet.gateway, bytes(32), cabinet.register.note(2), 4, [])
    cabinet.authority.send(cabinet.gateway, invented)
    await cabinet.answered(cabinet.note_of(cabinet.register, old_size=3))
    assert cabinet.memory.contradictions == []


async def test_a_signer_that_is_not_known_yet_is_no_alarm_and_is_believed_when_it_is(cabinet: Cabinet) -> None:
    authority = cabinet.authority
    cabinet.register.grow(4)
    await cabinet.keeps(4)
    authority.signer_keys["checkpoint"], authority.signer_ids["checkpoint"] = (
        Ed25519PrivateKey.generate(), new_id(Kind.SIGNER),
    )  # fmt: skip
    cabinet.register.key = authority.signer_keys["checkpoint"]
    cabinet.register.grow(5)
    await cabinet.asks(3)
    assert cabinet.questions[-1].register_size == 4
    assert "no key that is known signed this note" in cabinet.process.said
    assert cabinet.memory.contradictions == []
    new = authority.signer_certificate("checkpoint")
    authority.send(cabinet.gateway, Additions(cabinet.gateway, [], [], [new]))
    await cabinet.keeps(9)


@pytest.mark.parametrize("role", ["order", "acknowledgement", "ticket"])
async def test_only_a_signer_of_checkpoints_signs_them(cabinet: Cabinet, role: str) -> None:
    """That of orders signs the letter; it cannot make a checkpoint."""
    cabinet.register.grow(4)
    await cabinet.keeps(4)
    other = SealedRegister(cabinet.authority.organisation, cabinet.authority.signer_keys[role]).grow(9)
    await cabinet.answered(cabinet.note_of(other))
    assert cabinet.questions[-1].register_size == 4
    assert cabinet.memory.contradictions == []


async def test_the_signer_of_checkpoints_says_nothing_else(cabinet: Cabinet) -> None:
    authority = cabinet.authority
    cabinet.register.grow(4)
    await cabinet.keeps(4)
    authority.checkpoint = lambda *_: None
    cabinet.register.grow(4)
    letter = cabinet.note_of(cabinet.register)(cabinet.questions[-1])
    signed = authority.signed(letter, role="checkpoint")
    authority.deliver(cabinet.gateway, authority.seal(cabinet.gateway, signed))
    await eventually(lambda: "letter.refused" in cabinet.process.said)
    await cabinet.asks(2)
    assert cabinet.questions[-1].register_size == 4


@pytest.mark.parametrize("note", ["", "nothing\n", "portineria/test/org_a\n4\nAAAA\n\n— a b\n"])
async def test_what_is_no_note_is_no_alarm(cabinet: Cabinet, note: str) -> None:
    cabinet.register.grow(4)
    await cabinet.keeps(4)
    await cabinet.answered(cabinet.note_of(cabinet.register, note=note))
    assert cabinet.memory.contradictions == []
    cabinet.authority.checkpoint = cabinet.authority.checkpoint_of
    cabinet.register.grow(1)
    await cabinet.keeps(5)


async def test_a_busy_gateway_asks_for_a_checkpoint_now_and_then_and_on_every_new_link(
    authority: Authority, floor: Floor, tmp_path: Path
) -> None:
    process = GatewayProcess(
        authority, tmp_path / "gateway", reach=[f"{floor.network}:1-65535"], time_every_s=0.1, register_every_s=3600.0
    )
    authority.admit(process.gateway)
    authority.register.grow(4)
    await process.start()
    await authority.linked(process.gateway)
    questions = authority.gateways[process.gateway].questions
    await eventually(lambda: len(questions) > 10, "many questions")
    asked = [question.register_size for question in questions[:10] if question.register_size is not None]
    assert asked == [0] * len(asked)
    assert 1 <= len(asked) < 5, "only until the first answer has come"
    await authority.restart_relay(authority.relay.address.relay)
    before = len(questions)
    await authority.linked(process.gateway)
    await eventually(lambda: any(question.register_size == 4 for question in questions[before - 1 :]), "asked again")
    status = read_status(process.state.status)
    assert status is not None
    assert status.register.contradicted == []
    await process.end()
