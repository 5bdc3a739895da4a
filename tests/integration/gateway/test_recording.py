# SPDX-License-Identifier: Apache-2.0
"""A gateway records what passes: whole, for its recipients only, and lost is at most what the last seconds said."""

import asyncio
import hashlib
import random
import shutil
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pyrage
import pytest

from portineria.dataplane.gateway.recorder import BEHIND_BYTES
from portineria.policy.function_profile import OBSERVE, TRIAL, encode_profile
from portineria.recording.chunk import open_chunk, read_chunk
from portineria.recording.entry import key_of
from portineria.recording.replay import Replay
from portineria.recording.verification import INTERRUPTED, Verdict, verify
from tests.integration.authority import Authority
from tests.integration.end import End, Refused, Stream
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import Plant, asset_of
from tests.integration.gateway.test_functions import READ, WRITE, modbus
from tests.integration.gateway_process import GatewayProcess
from tests.integration.process import eventually

OWNER, AUDITOR = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
RECIPIENTS = [str(OWNER.to_public())]
Build = Callable[..., Awaitable[Plant]]


def request(number: int) -> bytes:
    """MODBUS Application Protocol V1.1b3, 6.3: read two holding registers."""
    return struct.pack(">HHHBBHH", number, 0, 6, 1, 3, 100, 2)


def answer(heard: bytes) -> bytes:
    found = [struct.unpack_from(">H", heard, at)[0] for at in range(0, len(heard) - 11, 12)]
    return b"".join(struct.pack(">HHHBBBHH", number, 0, 7, 1, 3, 4, number, 0) for number in found)


def files(process: GatewayProcess) -> list[Path]:
    """The only recording's chunks."""
    return sorted(process.state.recordings.glob("rec_*/*.chunk"))


def verdict_of(process: GatewayProcess, identity: pyrage.x25519.Identity = OWNER) -> Verdict:
    chunks = [path.read_bytes() for path in files(process)]
    return verify(chunks, key=key_of(process.keys.event), opener=lambda chunk: open_chunk(chunk, [identity]))


async def converse(stream: Stream, first: int, count: int) -> None:
    for number in range(first, first + count):
        heard = len(stream.tool.heard)
        await stream.say(request(number))
        await stream.heard(heard + 13)


@pytest.fixture
async def quick(authority: Authority, device: Device, floor: Floor, tmp_path: Path) -> AsyncIterator[Build]:
    """Builds a plant whose gateway seals every half second, with further settings."""
    started: list[GatewayProcess] = []

    async def build(prepare: Callable[[Path], None] | None = None, **settings: object) -> Plant:
        process = GatewayProcess(
            authority, tmp_path / "gateway", reach=[f"{floor.network}:502"], recording_seal_s=0.5, **settings
        )
        if prepare is not None:
            prepare(process.state.recordings)
        started.append(process)
        authority.admit(process.gateway)
        await process.start()
        await authority.linked(process.gateway)
        end = End(authority, process.gateway, tmp_path)
        end.assets = [asset_of(device)]
        return Plant(authority, process, device, end, tmp_path)

    yield build
    for process in started:
        await process.end()


async def test_a_session_is_recorded_from_its_start_to_its_end(quick: Build, tmp_path: Path) -> None:
    """What tshark dissects, what the gateway counted, and what the register has, agree."""
    plant = await quick()
    authority, gateway, session = plant.authority, plant.gateway, plant.end.session
    plant.device.answer = answer
    plant.end.permit([plant.asset], recording="strict", recording_recipients=RECIPIENTS)
    started = await authority.event(gateway, "recording.started", session)
    first, second = await plant.end.open(), await plant.end.open()
    await converse(first, 1, 60)
    await eventually(lambda: len(files(plant.process)) >= 2, "a chunk is sealed while the session lives")
    await converse(second, 1000, 20)
    first.say_end()
    await eventually(lambda: plant.device.connections[0].ended == "eof")
    await first.ended("finished")
    second.hang_up()
    authority.withdraw(session, "cut")
    finished = await authority.event(gateway, "recording.finished", session)
    verdict = verdict_of(plant.process)
    assert verdict.faults == []
    assert verdict.complete
    assert (started.fields["mode"], finished.fields["end"]) == ("strict", "session.ended")
    assert verdict.head.hex() == finished.fields["head"]
    assert read_chunk(files(plant.process)[0].read_bytes()).head.hex() == started.fields["head"]
    for closed in authority.found(gateway, "stream.closed"):
        count = verdict.streams[str(closed.fields["stream"])]
        assert (count.to_device, count.from_device) == (closed.fields["to_device"], closed.fields["from_device"])
        assert count.over == closed.fields["how"]
    assert dissected(plant.process, tmp_path) == (160, 0)
    assert authority.faults == []


async def test_a_password_in_clear_passes_and_is_not_recorded(quick: Build) -> None:
    """The device hears it, the recording says where it was, and the rest of it is there."""
    plant = await quick()
    plant.device.answer = lambda heard: b"230 in\r\n" if b"PASS" in heard else b"331 which?\r\n"
    plant.end.permit([plant.asset], recording="strict", recording_recipients=RECIPIENTS)
    stream = await plant.end.open()
    await stream.say(b"USER ann\r\n")
    await stream.heard(12)
    await stream.say(b"PASS hunter2\r\n")
    await stream.heard(20)
    plant.authority.withdraw(plant.end.session, "cut")
    await plant.authority.event(plant.gateway, "recording.finished", plant.end.session)
    [told] = plant.authority.found(plant.gateway, "recording.withheld", plant.end.session)
    assert [told.fields[name] for name in ("service", "cut_rule", "count", "bytes")] == [
        plant.asset.service, "ftp.password", 1, 7,
    ]  # fmt: skip
    assert b"PASS hunter2\r\n" in plant.device.connections[0].heard
    verdict = verdict_of(plant.process)
    assert verdict.complete
    assert [(cut.rule, cut.direction, cut.at, cut.size) for cut in verdict.cuts] == [("ftp.password", 0, 15, 7)]
    kept = b"".join(b"".join(open_chunk(read_chunk(path.read_bytes()), [OWNER])) for path in files(plant.process))
    assert b"hunter2" not in kept
    assert b"PASS *******\r\n" in kept
    assert b"cut out: password, 7 bytes, rule ftp.password" in kept  # the comment of its packet


PROGRAM = bytes(range(65, 91)) * 4


def umas(number: int, content: bytes) -> bytes:
    """A block of a program, as it is written to the controller."""
    pdu = b"\x5a\0\x31\0\1\2\0" + content
    return struct.pack(">HHHB", number, 0, len(pdu) + 1, 1) + pdu


async def test_a_program_is_its_hash_in_packets_and_index_until_an_order_keeps_it(quick: Build) -> None:
    plant = await quick()
    plant.device.answer = lambda heard: heard[:4] + b"\0\4\1\x5a\0\xfe"
    told = {"recording": "strict", "recording_recipients": RECIPIENTS}
    profile = encode_profile(TRIAL)
    asset = msgspec.structs.replace(plant.asset, protocol="modbus")
    plant.end.permit([asset], profiles=[profile], **told)
    stream = await plant.end.open()
    await stream.say(umas(1, PROGRAM))
    await stream.heard(10)
    plant.end.permit([asset], profiles=[profile], program_contents="kept", **told)
    accepted = lambda: plant.authority.found(plant.gateway, "order.accepted")  # noqa: E731
    await eventually(lambda: len(accepted()) == 2, "the second order is in force")
    await stream.say(umas(2, b"agreed" + PROGRAM))
    await stream.heard(20)
    plant.authority.withdraw(plant.end.session, "cut")
    await plant.authority.event(plant.gateway, "recording.finished", plant.end.session)
    assert plant.device.connections[0].heard == umas(1, PROGRAM) + umas(2, b"agreed" + PROGRAM)
    assert verdict_of(plant.process).complete
    digest = hashlib.sha256(PROGRAM).hexdigest()
    opened = [open_chunk(read_chunk(path.read_bytes()), [OWNER]) for path in files(plant.process)]
    index, capture = b"".join(index for index, _ in opened), b"".join(capture for _, capture in opened)
    assert [(cut.rule, cut.size) for cut in verdict_of(plant.process).cuts] == [("modbus.umas-program", len(PROGRAM))]
    assert (capture.count(PROGRAM), capture.count(b"agreed" + PROGRAM)) == (1, 1)
    assert index.count(digest.encode()) == 1  # beside the place where the bytes were
    assert PROGRAM.hex().encode() not in index


def dissected(process: GatewayProcess, tmp_path: Path) -> tuple[int, int]:
    """(Modbus PDUs, packets that tshark complains about)."""
    if shutil.which("tshark") is None:
        pytest.skip("apt-get install tshark")
    file = tmp_path / "all.pcapng"
    file.write_bytes(b"".join(open_chunk(read_chunk(path.read_bytes()), [OWNER])[1] for path in files(process)))
    checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    found = []
    faults = "_ws.malformed || tcp.analysis.flags || tcp.checksum.status == 0 || ip.checksum.status == 0"
    for wanted in ("modbus", faults):
        done = subprocess.run(
            ["tshark", "-r", str(file), *checks, "-Y", wanted], capture_output=True, text=True, check=True, timeout=60
        )
        found.append(len(done.stdout.splitlines()))
    return found[0], found[1]


async def test_recipients_are_added_and_never_removed(quick: Build) -> None:
    plant = await quick()
    end = plant.end
    end.permit([plant.asset], recording="full", recording_recipients=RECIPIENTS)
    await plant.authority.event(plant.gateway, "recording.started", end.session)
    assert plant.process.state.load_pinned().recording_recipients == RECIPIENTS
    other = plant.another_end()
    other.permit([plant.asset], recording="full", recording_recipients=[str(AUDITOR.to_public())])
    told = await plant.authority.event(plant.gateway, "recording.started", other.session)
    assert told.fields["recipients"] == 2
    path = plant.process.state.recordings / str(told.fields["recording"]) / "00000001.chunk"
    for identity in (OWNER, AUDITOR):
        open_chunk(read_chunk(path.read_bytes()), [identity])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"recording": "strict"}, "recording.recipients"),
        ({"recording": "full", "recording_recipients": ["age1nonsense"]}, "recording.recipient"),
    ],
)
async def test_no_recording_for_nobody_begins(plant: Plant, fields: dict[str, object], reason: str) -> None:
    plant.end.permit([plant.asset], **fields)
    refused = await plant.authority.event(plant.gateway, "order.refused", plant.end.session)
    assert refused.fields["reason"] == reason


async def test_after_a_kill_all_but_the_last_moment_verifies(quick: Build) -> None:
    plant = await quick()
    plant.device.answer = answer
    plant.end.permit([plant.asset], recording="strict", recording_recipients=RECIPIENTS)
    stream = await plant.end.open()
    await converse(stream, 1, 40)
    await eventually(lambda: read_chunk(files(plant.process)[-1].read_bytes()).entry.totals[0] >= 480, "sealed")
    await converse(stream, 100, 1)
    await plant.process.kill()
    newest = files(plant.process)[-1]
    newest.write_bytes(newest.read_bytes()[:-7])  # as a disk that lied about its sync may leave it
    await plant.process.start()
    finished = await plant.authority.event(plant.gateway, "recording.finished", plant.end.session)
    verdict = verdict_of(plant.process)
    assert verdict.faults == []
    assert verdict.last is not None
    assert (verdict.last.end, finished.fields["head"]) == (INTERRUPTED, verdict.head.hex())
    assert verdict.opened == len(files(plant.process)) >= 2
    assert newest.with_suffix(".broken").exists()


def mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", folder], check=True)


def small_disk(folder: Path) -> None:
    folder.mkdir()
    if mount("-t", "tmpfs", "-o", "size=2m", "none", str(folder)):
        pytest.skip("needs root to mount a small disk; or: unshare --user --map-root-user --net --mount make test")


async def test_strict_waits_for_room_and_loses_nothing(quick: Build) -> None:
    """A full disk: nothing passes that is not kept, no session begins; with room again everything arrives."""
    plant = await quick(small_disk)
    folder = plant.process.state.recordings
    try:
        plant.device.answer = lambda _: b""
        plant.end.permit([plant.asset], recording="strict", recording_recipients=RECIPIENTS)
        stream = await plant.end.open()
        data = noise(12 << 20)
        saying = asyncio.ensure_future(stream.say(data))
        await plant.authority.event(plant.gateway, "recording.held", plant.end.session)
        heard = plant.device.connections[0].heard
        await eventually(lambda: "recording.failing" in plant.process.said)
        assert len(heard) <= (2 << 20) + BEHIND_BYTES + (1 << 20)
        with pytest.raises(Refused) as refused:
            await plant.end.open()
        assert refused.value.reason == "recording.unavailable"
        assert mount("-o", "remount,size=64m", str(folder)) == 0
        await saying
        await eventually(lambda: len(heard) == len(data), "everything has arrived")
        assert heard == data
        stream.hang_up()
        plant.authority.withdraw(plant.end.session, "cut")
        await plant.authority.event(plant.gateway, "recording.finished", plant.end.session)
        verdict = verdict_of(plant.process)
        assert verdict.faults == []
        assert verdict.complete
    finally:
        await plant.process.end()
        unmount(folder)


async def test_otherwise_a_full_spool_is_a_gap_that_is_told(quick: Build) -> None:
    plant = await quick(recording_limit_bytes=1 << 20)
    plant.device.answer = lambda _: b""
    plant.end.permit([plant.asset], recording="full", recording_recipients=RECIPIENTS)
    stream = await plant.end.open()
    data = noise(9 << 20)  # more than waits in memory, though the disk be slow
    await stream.say(data)
    await plant.authority.event(plant.gateway, "recording.gap", plant.end.session)
    await eventually(lambda: len(plant.device.connections[0].heard) == len(data), "everything has passed")
    stream.hang_up()
    plant.authority.withdraw(plant.end.session, "cut")
    finished = await plant.authority.event(plant.gateway, "recording.finished", plant.end.session)
    verdict = verdict_of(plant.process)
    assert verdict.faults == []
    assert (verdict.complete, verdict.lost) == (False, finished.fields["lost"])
    assert 0 < verdict.lost < len(data)
    strict = plant.another_end()
    strict.permit([plant.asset], recording="strict", recording_recipients=RECIPIENTS)
    refused = await plant.authority.event(plant.gateway, "order.refused", strict.session)
    assert refused.fields["reason"] == "recording.unavailable"


def noise(count: int) -> bytes:
    """That cannot be packed."""
    return random.Random(7).randbytes(count)


def commented(file: Path) -> str:
    """Comment and function of each request to the device, by tshark."""
    fields = ["-T", "fields", "-e", "frame.comment", "-e", "modbus.func_code"]
    command = ["tshark", "-r", str(file), "-Y", "tcp.dstport == 502 && modbus", *fields]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


async def test_what_was_asked_refused_and_answered_is_in_the_index(quick: Build, tmp_path: Path) -> None:
    """Under a function profile: each operation with its verdict, the device's answers, and packets that name them."""
    plant = await quick()
    plant.device.answer = modbus
    asset = msgspec.structs.replace(plant.asset, protocol="modbus")
    plant.end.permit(
        [asset], profiles=[encode_profile(OBSERVE)], recording="strict", recording_recipients=RECIPIENTS
    )  # fmt: skip
    stream = await plant.end.open()
    await stream.say(READ + WRITE + READ)
    await stream.heard(31)
    stream.say_end()
    await stream.ended("finished")
    plant.authority.withdraw(plant.end.session, "cut")
    await plant.authority.event(plant.gateway, "recording.finished", plant.end.session)
    verdict = verdict_of(plant.process)
    assert (verdict.faults, verdict.complete) == ([], True)

    opened = [open_chunk(read_chunk(path.read_bytes()), [OWNER]) for path in files(plant.process)]
    lines = [msgspec.json.decode(line) for index, _ in opened for line in index.splitlines()]
    said = {line["operation"]: line["is"] for line in lines if "operation" in line}
    asked = [(one["function"], one["targets"], one["verdict"]) for one in said.values() if "verdict" in one]
    read = ("read-holding-registers", ["holding 104"])
    assert asked == [(*read, "passed"), ("write-single-register", ["holding 104"], "refused"), (*read, "passed")]
    assert said[2]["values"] == [180]
    assert [(one["answers"], one["values"]) for one in said.values() if "answers" in one] == [
        ([1], [[120]]), ([3], [[120]]),
    ]  # fmt: skip

    replay = Replay()
    again = [asked.operations for _, capture in opened for asked in replay.take(capture)]
    assert [[one.function for one in operations] for operations in again] == [["read-holding-registers"]] * 2
    assert replay.unread == {}

    file = tmp_path / "all.pcapng"
    file.write_bytes(b"".join(capture for _, capture in opened))
    shown = commented(file)
    assert shown.splitlines() == ["operation 1\t3", "operation 3\t3"]
