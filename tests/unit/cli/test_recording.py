# SPDX-License-Identifier: Apache-2.0
"""`portineria recording verify|decrypt|export`, over folders, archives and single chunks."""

from __future__ import annotations

import json
import tarfile
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from portineria.cli.main import main
from portineria.cli.recording_functions import print_profile
from portineria.policy.learned import Learner
from portineria.protocols.operation import Kind, Operation, Target
from portineria.recording import pcapng
from portineria.recording.chunk import open_chunk, read_chunk
from portineria.recording.entry import key_of
from tests.unit.recording.recorded import (
    ABOUT,
    ANSWER,
    AUDITOR,
    FIRST,
    KEY,
    OWNER,
    READ,
    SECOND,
    Recording,
    conversation,
)
from tests.unit.recording.test_verification import cut_out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "ses_aaaaaaaaaaaaaaaa" / "rec_aaaaaaaaaaaaaaaa"
    made.mkdir(parents=True)
    for number, data in enumerate(conversation().chunks, 1):
        (made / f"{number:08}.chunk").write_bytes(data)
    return made


def identity_file(tmp_path: Path, identity: object) -> str:
    path = tmp_path / "identity.txt"
    path.write_text(f"# whose\n{identity}\n")
    return str(path)


def test_a_folder_and_an_archive_verify_with_and_without_an_identity(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "session.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, "ses_aaaaaaaaaaaaaaaa/rec_aaaaaaaaaaaaaaaa")
    for path in (folder, folder.parent, archive):
        assert main(["recording", "verify", str(path), "--key", key_of(KEY).hex()]) == 0
        assert "0 chunks were looked into" in capsys.readouterr().out
        assert main(["recording", "verify", str(path), "-i", identity_file(tmp_path, OWNER)]) == 0
        assert "60 bytes to the device, 65 from it; 4 chunks were looked into" in capsys.readouterr().out


def test_what_is_not_as_signed_ends_with_1_and_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    third = folder / "00000003.chunk"
    third.write_bytes(third.read_bytes()[:-1])
    assert main(["recording", "verify", str(folder)]) == 1
    assert "rec_aaaaaaaaaaaaaaaa: chunk 3: the content is not the signed one" in capsys.readouterr().err


def test_two_files_that_exchanged_their_names_are_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "00000001.chunk").rename(folder / "aside")
    (folder / "00000002.chunk").rename(folder / "00000001.chunk")
    (folder / "aside").rename(folder / "00000002.chunk")
    assert main(["recording", "verify", str(folder)]) == 1
    assert "chunk 1: is number 2" in capsys.readouterr().err


def test_a_head_of_the_register_must_be_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = read_chunk((folder / "00000002.chunk").read_bytes()).head.hex()
    assert main(["recording", "verify", str(folder), "--head", head]) == 0
    assert main(["recording", "verify", str(folder), "--head", head, "--head", "00" * 32]) == 1
    assert f"no chunk has the head {'00' * 32}" in capsys.readouterr().err


def test_what_was_cut_out_is_counted_without_an_identity_and_named_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chunk, told = tmp_path / "00000001.chunk", tmp_path / "told.json"
    chunk.write_bytes(cut_out(b"PASS ****\r\n").chunks[0])
    assert main(["recording", "verify", str(chunk)]) == 0
    out = capsys.readouterr().out
    assert "4 bytes in 1 places were cut out" in out
    assert "ftp.password" not in out
    whose = identity_file(tmp_path, OWNER)
    assert main(["recording", "export", str(chunk), "-i", whose, "-o", str(told)]) == 0
    assert "    password (ftp.password): 4 bytes in 1 places" in capsys.readouterr().out
    [said] = json.loads(told.read_text())
    assert said["cut"] == {"places": 1, "bytes": 4}
    assert said["cuts"] == [
        {"stream": FIRST, "to_device": True, "at": 15, "bytes": 4, "rule": "ftp.password",
         "says": "cut out: password, 4 bytes, rule ftp.password"}
    ]  # fmt: skip


def test_bytes_that_passed_unrecorded_end_with_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Recording()
    made.open()
    made.capture.lost(FIRST, 1, 4096, made.tick())
    made.over()
    made.seal(end="session.ended")
    (tmp_path / "00000001.chunk").write_bytes(made.chunks[0])
    assert main(["recording", "verify", str(tmp_path)]) == 4
    assert "4096 bytes passed without being recorded" in capsys.readouterr().out


def test_decrypting_writes_one_capture_and_one_index(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):  # a second time it is written anew, not behind the first
        assert main(["recording", "decrypt", str(folder), "-i", identity_file(tmp_path, OWNER), "-o", str(out)]) == 0
    opened = [open_chunk(read_chunk(path.read_bytes()), [OWNER]) for path in sorted(folder.iterdir())]
    assert (out / "rec_aaaaaaaaaaaaaaaa.pcapng").read_bytes() == b"".join(capture for _, capture in opened)
    assert (out / "rec_aaaaaaaaaaaaaaaa.jsonl").read_bytes() == b"".join(index for index, _ in opened)
    assert sum(len(list(pcapng.packets(capture))) for _, capture in opened) == 3 + 3 + 10 + 3 + 3
    assert main(["recording", "decrypt", str(folder), "-i", identity_file(tmp_path, AUDITOR), "-o", str(out)]) == 2


def test_the_export_says_what_is_proven(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    assert main(["recording", "export", str(folder), "-o", str(file)]) == 0
    [told] = json.loads(file.read_text())
    assert told["complete"]
    assert (told["session"], told["end"], told["lost"]) == ("ses_aaaaaaaaaaaaaaaa", "session.ended", 0)
    assert told["streams"][0] == {"stream": FIRST, "to_device": 36, "from_device": 39, "lost": 0, "over": "finished"}


@pytest.mark.parametrize("words", [["verify", "nowhere"], ["verify", ".", "--key", "zz"], ["verify", "nothing.tar"]])
def test_what_is_no_recording_is_said_in_words(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing.tar").write_bytes(b"nothing")
    assert main(["recording", *words]) in (1, 2)
    assert capsys.readouterr().err.startswith("portineria: ")


# -- function profiles and recordings ----------------------------------------------------------------------------


WRITE = bytes.fromhex("0002 0000 0006 01 06 0068 00b4")  # 180 into holding 104
CODESYS = bytes.fromhex("bbbb0100000001") + bytes(8)


@pytest.fixture
def worked(tmp_path: Path) -> list[str]:
    """A recording of two reads and a write, over two chunks, and of a stream that nobody decodes."""
    made = Recording()
    made.open()
    made.say(FIRST, 0, READ[:5])
    made.say(FIRST, 0, READ[5:])
    made.say(FIRST, 1, ANSWER)
    made.seal()
    made.say(FIRST, 0, WRITE + READ)
    made.say(FIRST, 1, WRITE + ANSWER)
    made.open("str_cccccccccccccccc", "192.168.10.6")
    made.say("str_cccccccccccccccc", 0, CODESYS)
    made.over(FIRST)
    made.over("str_cccccccccccccccc")
    made.seal(end="session.ended")
    folder = tmp_path / "rec_aaaaaaaaaaaaaaaa"
    folder.mkdir()
    for number, data in enumerate(made.chunks, 1):
        (folder / f"{number:08}.chunk").write_bytes(data)
    return [str(folder), "-i", identity_file(tmp_path, OWNER)]


def test_what_a_profile_would_have_refused(worked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recording", "judge", *worked, "--profile", "observe"]) == 5
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == (
        "2 x read-holding-registers holding 107-108 through unit 1 at 192.168.10.5:502: route"
    )
    assert "1 x write-single-register holding 104 through unit 1 at 192.168.10.5:502: function, route" in said.out
    assert "observe would have refused 3 operations." in said.out
    assert "192.168.10.6:502 was not read, or not to its end: no protocol that is decoded here" in said.err


def test_the_profile_learned_from_a_recording_refuses_nothing_of_it(
    worked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recording", "learn", *worked, "--name", "belt change"]) == 0
    said = capsys.readouterr().out
    [profile] = tomllib.loads(said)["profile"]
    assert (
        'function write-single-register on holding 104 between 180 and 180 through "unit 1" of modbus'
        in (profile["allow"])
    )
    file = tmp_path / "plant.toml"
    file.write_text(said)
    assert main(["recording", "judge", *worked, "--profile", f"{file}:belt change"]) == 0
    assert "belt change would have refused 0 operations." in capsys.readouterr().out
    lines = "".join(f"      - {json.dumps(line)}\n" for line in profile["allow"])
    file.write_text(f"profile:\n  - name: belt change\n    allow:\n{lines}")  # told by what is in it, as for `apply`
    assert main(["recording", "judge", *worked, "--profile", f"{file}:belt change"]) == 0
    file.write_text("profile: &all\n  - name: belt change\n    allow: *all\n")
    assert main(["recording", "judge", *worked, "--profile", f"{file}:belt change"]) == 1
    assert "aliases and anchors are not read" in capsys.readouterr().err


def test_several_recordings_and_one_service_of_them(
    worked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Recording(replace(ABOUT, recording="rec_bbbbbbbbbbbbbbbb"))
    made.open()
    made.say(FIRST, 0, WRITE[:-2] + b"\0\xc8")
    made.open(SECOND, "192.168.10.7")
    made.say(SECOND, 0, WRITE)
    for stream in (FIRST, SECOND):
        made.over(stream)
    made.seal(end="session.ended")
    folder = tmp_path / "rec_bbbbbbbbbbbbbbbb"
    folder.mkdir()
    (folder / "00000001.chunk").write_bytes(made.chunks[0])
    both = [str(folder), *worked]
    assert main(["recording", "learn", *both, "--service", "192.168.10.5:502"]) == 0
    said = capsys.readouterr().out
    assert "on holding 104 between 180 and 200" in said
    assert main(["recording", "judge", *both, "--service", "192.168.10.7:502", "--profile", "observe"]) == 5
    assert "observe would have refused 1 operations." in capsys.readouterr().out


def test_what_passed_unrecorded_is_not_read_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Behind a hole nobody knows where a request begins, also when what follows looks like one."""
    made = Recording()
    made.open()
    made.say(FIRST, 0, READ)
    made.capture.lost(FIRST, 0, 12, made.tick())
    made.say(FIRST, 0, WRITE)
    made.over()
    made.seal(end="session.ended")
    (tmp_path / "00000001.chunk").write_bytes(made.chunks[0])
    assert (
        main(["recording", "judge", str(tmp_path), "-i", identity_file(tmp_path, OWNER), "--profile", "observe"]) == 4
    )
    said = capsys.readouterr()
    assert "observe would have refused 1 operations." in said.out
    assert "was not read, or not to its end: bytes passed here unrecorded" in said.err


@pytest.mark.parametrize("name", ["belt', 'control", 'belt" \\', "ベルト"])
def test_a_name_from_the_wire_adds_nothing_to_what_was_learned(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Tags and services are called as their maker, or the client, likes; what is printed becomes a rule."""
    operation = Operation("cip", "write-tag", "0x4d", Kind.WRITE, (Target("tag", name=name),), (1,))
    strange = Operation("cip", "service", "0x99\n]\n[[rule]]\n", Kind.UNKNOWN)
    learner = Learner()
    learner.take([operation, strange])
    print_profile("line 1", learner)
    said = tomllib.loads(capsys.readouterr().out)
    assert said == {"profile": [{"name": "line 1", "allow": learner.lines()}]}
    assert len(learner.lines()) + sum(learner.left_out.values()) == 2


def test_a_profile_that_is_not_there(worked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plant.toml").write_text("")
    for name in ("obsrve", f"{tmp_path}/plant.toml:x", f"{tmp_path}/none.toml:x"):
        assert main(["recording", "judge", *worked, "--profile", name]) != 0
        assert "nothing" not in capsys.readouterr().out
