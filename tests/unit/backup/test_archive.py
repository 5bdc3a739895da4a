# SPDX-License-Identifier: Apache-2.0
"""The file of a backup: whole or refused, whatever was done to it, and no name in it leads elsewhere."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyrage
import pytest
from pyrage.x25519 import Identity

from portineria.backup.archive import BackupFailed, BackupThere, WrongIdentity, walk, written
from portineria.backup.manifest import BadBackup, Manifest, Recordings
from portineria.process.stop import Stopped, stopping

KEY = Identity.generate()
MEMBERS = {"database.sqlite3": b"rows " * 40_000, "state/master.key": b"secret\n", "state/nats/seed": b"s" * 513}


def manifest(members: int, digest: str) -> bytes:
    said = Manifest(
        format=1, made_at="2030-01-01T00:00:00+00:00", version="1", installation="ins_a", database="database.sqlite3",
        master_key_inside=True, master_key_check="00", recordings=Recordings(True), checkpoints=[], outside=[],
        members=members, members_sha256=digest,
    )  # fmt: skip
    return msgspec.json.encode(said)


def make(path: Path, members: dict[str, bytes] = MEMBERS) -> Path:
    with written(path, [KEY.to_public()], io.BytesIO()) as writer:
        for name, data in members.items():
            writer.add(name, len(data), iter([data]))
        writer.finish(manifest)
    return path


def content(path: Path, key: Identity = KEY) -> dict[str, bytes]:
    found = {}

    def take(name: str, size: int, pieces: Iterator[bytes]) -> None:
        found[name] = b"".join(pieces)
        assert len(found[name]) == size

    assert walk(path, [key], take).members == len(found)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("backup") / "whole.age")


def test_what_went_in_comes_out_and_plain_age_and_tar_open_it_too(made: Path) -> None:
    assert content(made) == MEMBERS
    assert made.stat().st_mode & 0o777 == 0o600
    plain = pyrage.decrypt(made.read_bytes(), [KEY])
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        said = archive.extractfile("members.sha256")
        assert said is not None
        lines = said.read().decode().splitlines()
    assert lines == [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in MEMBERS.items()]


def test_every_cut_and_every_changed_byte_is_noticed(made: Path, tmp_path: Path) -> None:
    whole, broken = made.read_bytes(), tmp_path / "broken.age"
    for at in [*range(0, 400, 23), *range(400, len(whole), 9973), len(whole) - 1]:
        broken.write_bytes(whole[:at])
        with pytest.raises(BadBackup):
            content(broken)
        broken.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises((BadBackup, WrongIdentity)):
            content(broken)
    broken.write_bytes(whole + b"x")
    with pytest.raises(BadBackup):
        content(broken)


def test_another_identity_does_not_open_it(made: Path) -> None:
    with pytest.raises(WrongIdentity, match="none of these identities"):
        content(made, Identity.generate())


def sealed(path: Path, infos: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """By somebody who knows the recipient, as everybody may."""
    plain = b"".join(info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512) for info, data in infos)
    path.write_bytes(pyrage.encrypt(plain + bytes(1024), [KEY.to_public()]))
    return path


def member(name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, "/etc/passwd" if kind != tarfile.REGTYPE else ""
    return info, data


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "/etc/cron.d/evil", "state/../../evil", "state/./evil", "state//evil", "state/..", "state/a\nb",
        "state/" + "a/" * 9 + "b", "recordings/../x/y/00000001.chunk", "recordings/o/s/r/1.exe", "C:\\evil",
        "state/\u00e8vil", "database.sqlite3/x", "members.sha256x", "",
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadBackup):
        content(sealed(tmp_path / "evil.age", [member(name)]))


def test_what_is_no_plain_file_and_what_stands_twice_is_refused(tmp_path: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE):
        with pytest.raises(BadBackup):
            content(sealed(tmp_path / "evil.age", [member("state/link", b"", kind)]))
    twice = [member("database.sqlite3"), member("state/b"), member("state/b")]
    with pytest.raises(BadBackup, match="does not belong"):
        content(sealed(tmp_path / "twice.age", twice))
    with pytest.raises(BadBackup, match="does not belong"):
        content(sealed(tmp_path / "order.age", [member("state/a"), member("database.sqlite3")]))
    huge = tarfile.TarInfo("state/huge")
    huge.size = 1 << 40
    with pytest.raises(BadBackup, match="at most"):
        content(sealed(tmp_path / "huge.age", [(huge, b"")]))


def test_a_list_or_manifest_of_other_members_is_refused(tmp_path: Path) -> None:
    listed = b"00" * 32 + b"  state/a\n"
    with pytest.raises(BadBackup, match="other hashes"):
        content(sealed(tmp_path / "list.age", [member("state/a"), member("members.sha256", listed)]))
    right = f"{hashlib.sha256(b'x').hexdigest()}  state/a\n".encode()
    with pytest.raises(BadBackup, match="names other members"):
        content(
            sealed(
                tmp_path / "manifest.age",
                [member("state/a"), member("members.sha256", right), member("manifest.json", manifest(2, "00"))],
            )
        )
    with pytest.raises(BadBackup, match="before its manifest"):
        content(sealed(tmp_path / "none.age", [member("state/a"), member("members.sha256", right)]))


def test_a_full_disk_leaves_nothing_and_what_is_there_is_not_written_over(tmp_path: Path, made: Path) -> None:
    there = tmp_path / "there.age"
    there.write_bytes(b"mine")
    with pytest.raises(BackupThere):
        make(there)
    assert there.read_bytes() == b"mine"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(BackupFailed, match="nothing was left behind"):
            make(tmp_path / "full.age")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["there.age"]


def test_a_file_that_changes_while_it_is_read_fails_the_backup(tmp_path: Path) -> None:
    with (
        pytest.raises(BackupFailed, match="changed while it was read"),
        written(tmp_path / "short.age", [KEY.to_public()], io.BytesIO()) as writer,
    ):
        writer.add("state/a", 10, iter([b"only 6"]))
    assert list(tmp_path.iterdir()) == []


def cut_in_the_middle(path: Path) -> None:
    with stopping(), written(path, [KEY.to_public()], io.BytesIO()) as writer:
        writer.add("state/a", 1, iter([b"x"]))
        assert path.with_name(f"{path.name}.part").exists()
        os.kill(os.getpid(), signal.SIGTERM)
        writer.finish(manifest)


def test_a_signal_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped) as stopped:
        cut_in_the_middle(tmp_path / "cut.age")
    assert stopped.value.status == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before
