# SPDX-License-Identifier: Apache-2.0
"""The file of a backup: a tar archive inside one age file, written and read as a stream.

``age -d -i identity FILE | tar x`` opens it without us. Of each tar header only what we write is accepted: a plain
file with a name of ours, in our order.
"""

import errno
import hashlib
import os
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pyrage
from pyrage.x25519 import Identity, Recipient

from portineria.backup.manifest import (
    LIST,
    MANIFEST,
    MANIFEST_BYTES,
    STATE,
    STATE_BYTES,
    BadBackup,
    Manifest,
    read_manifest,
    section_of,
)
from portineria.core.errors import Conflict, Denied, NotFound, Unavailable
from portineria.process.lock import take as take_lock

PIECE = 1 << 18
_BLOCK = tarfile.BLOCKSIZE
_USTAR_BYTES = 8**11  # the size field of POSIX 1003.1-1988 has eleven octal digits; beyond it GNU's form
Take = Callable[[str, int, Iterator[bytes]], None]


class BackupThere(Conflict):
    code = "backup.there"


class BackupRuns(Conflict):
    code = "backup.runs"


class BackupFailed(Unavailable):
    """It could not be written; nothing was left behind."""

    code = "backup.failed"


class NoBackup(NotFound):
    code = "backup.file"


class WrongIdentity(Denied):
    code = "backup.identity"


class Writer:
    """Members one after the other. Their hashes are the list that comes last but one."""

    def __init__(self, plain: BinaryIO, listed: BinaryIO) -> None:
        self._plain, self._listed = plain, listed
        self._digest = hashlib.sha256()
        self._members = 0

    def add(self, name: str, size: int, pieces: Iterator[bytes]) -> None:
        """Raise BackupFailed when there are not exactly ``size`` bytes: a file that changed meanwhile."""
        digest = self._put(name, size, pieces)
        line = f"{digest}  {name}\n".encode()
        self._listed.write(line)
        self._digest.update(line)
        self._members += 1

    def _put(self, name: str, size: int, pieces: Iterator[bytes]) -> str:
        section_of(name)
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        self._plain.write(info.tobuf(tarfile.USTAR_FORMAT if size < _USTAR_BYTES else tarfile.GNU_FORMAT))
        digest, written = hashlib.sha256(), 0
        for piece in pieces:
            digest.update(piece)
            written += len(piece)
            self._plain.write(piece)
        if written != size:
            raise BackupFailed(f"{name} changed while it was read ({written} bytes instead of {size}); try again")
        self._plain.write(bytes(-size % _BLOCK))
        return digest.hexdigest()

    def finish(self, make: Callable[[int, str], bytes]) -> None:
        """``make``: the manifest, given the number of members and the hash of their list."""
        size = self._listed.tell()
        self._listed.seek(0)
        self._put(LIST, size, pieces_of(self._listed, size))
        data = make(self._members, self._digest.hexdigest())
        self._put(MANIFEST, len(data), iter([data]))
        self._plain.write(bytes(2 * _BLOCK))


def pieces_of(file: BinaryIO, size: int) -> Iterator[bytes]:
    """At most ``size`` bytes; fewer when the file ends."""
    while size and (piece := file.read(min(size, PIECE))):
        size -= len(piece)
        yield piece


@contextmanager
def written(path: Path, recipients: Sequence[Recipient], listed: BinaryIO) -> Iterator[Writer]:
    """Whole or not at all: until everything is on the disk the file is called ``….part``.

    Raise BackupThere, BackupRuns, BackupFailed.
    """
    if os.path.lexists(path):
        raise BackupThere(f"{path} is there already and was not touched: name another file")
    new = path.with_name(f"{path.name}.part")
    try:
        lock = take_lock(new)
    except OSError as error:
        raise BackupFailed(f"{new}: {error.strerror}; nothing was written") from error
    if lock is None:
        raise BackupRuns(f"another backup writes {new} just now")
    try:
        with os.fdopen(lock, "wb") as file:
            file.truncate(0)
            file.seek(0)
            with _encrypting(file, recipients) as plain:
                yield Writer(plain, listed)
            file.flush()
            os.fsync(file.fileno())
            new.replace(path)
        _sync(path.absolute().parent)
    except OSError as error:
        raise BackupFailed(f"{error.filename or new}: {error.strerror or error}; {_remedy(error)}") from error
    finally:
        new.unlink(missing_ok=True)


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "nothing was left behind. Make room there, or name another disk"
    return "nothing was left behind. Name another place, or try again"


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Beside(threading.Thread):
    """age in a thread of its own; ``end`` is its end of the pipe, closed when it is done with it."""

    def __init__(self, work: Callable[[BinaryIO], object], end: BinaryIO) -> None:
        super().__init__(name="age", daemon=True)
        self._work, self._end = work, end
        self.fault: Exception | None = None

    def run(self) -> None:
        try:
            with self._end:
                self._work(self._end)
        except (OSError, pyrage.EncryptError, pyrage.DecryptError) as error:
            self.fault = error


class _Kept:
    """A file for age to write, which remembers why it could not: age's own error has only the words."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.fault: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.fault = error
            raise

    def flush(self) -> None:
        self._file.flush()


@contextmanager
def _encrypting(file: BinaryIO, recipients: Sequence[Recipient]) -> Iterator[BinaryIO]:
    """What is written to the result is encrypted into ``file``, whole when this ends without an exception."""
    out, (reading, writing) = _Kept(file), os.pipe()
    age = _Beside(lambda end: pyrage.encrypt_io(end, out, list(recipients)), os.fdopen(reading, "rb"))
    plain = os.fdopen(writing, "wb", buffering=PIECE)
    age.start()
    try:
        yield plain
        plain.close()
    except BrokenPipeError:  # age has stopped, and says below why
        pass
    finally:
        _close(plain)
        age.join()
    if out.fault or age.fault:
        raise out.fault or OSError(str(age.fault))


def _close(pipe: BinaryIO) -> None:
    with suppress(BrokenPipeError):
        pipe.close()


def walk(path: Path, identities: Sequence[Identity], take: Take) -> Manifest:
    """Give every member of ``path`` to ``take``, which reads its pieces; return what the backup says of itself.

    Only when this returns is anything of it proven: every piece was sealed to one of the identities, none is missing
    at the end, and all hashes are those of the list. Raise NoBackup, WrongIdentity, BadBackup.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise NoBackup(f"{path}: {error.strerror}") from error
    reading, writing = os.pipe()
    with file, os.fdopen(reading, "rb", buffering=PIECE) as plain:
        out = os.fdopen(writing, "wb", buffering=PIECE)
        age = _Beside(lambda end: pyrage.decrypt_io(file, end, list(identities)), out)
        age.start()
        try:
            manifest = _Reader(plain, take).read()
        except BadBackup:
            plain.close()
            age.join()
            if age.fault is not None and not isinstance(age.fault, BrokenPipeError):
                raise _said(path, age.fault) from age.fault
            raise
        finally:
            plain.close()
            age.join()
        if age.fault is not None:
            raise _said(path, age.fault) from age.fault
    return manifest


def _said(path: Path, fault: Exception) -> Exception:
    text = str(fault)
    if "No matching keys" in text:
        return WrongIdentity(f"{path} is encrypted to others: none of these identities opens it")
    return BadBackup(f"{path} is cut off, or was changed: {text}")


class _Reader:
    def __init__(self, plain: BinaryIO, take: Take) -> None:
        self._plain, self._take = plain, take
        self._digest = hashlib.sha256()
        self._members, self._last = 0, (-1, "")

    def read(self) -> Manifest:
        while (info := self._header()) is not None:
            section = section_of(info.name)
            self._check_order(section, info.name)
            if info.name == LIST:
                self._check_list(info)
            elif info.name == MANIFEST:
                return self._manifest(info)
            else:
                self._member(info)
        raise BadBackup("it ends before its manifest")

    def _header(self) -> tarfile.TarInfo | None:
        block = self._exactly(_BLOCK)
        if not any(block):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.TarError, ValueError) as error:
            raise BadBackup(f"a header that cannot be read: {error}") from error
        if info.type != tarfile.REGTYPE or info.size < 0:
            raise BadBackup(f"{info.name[:100]!r} is no plain file")
        if info.name.startswith(STATE) and info.size > STATE_BYTES:
            raise BadBackup(f"{info.name} has {info.size} bytes, at most {STATE_BYTES}")
        return info

    def _check_order(self, section: int, name: str) -> None:
        """So that nothing is there twice. Recordings have the order of the database, whoever keeps them looks."""
        last, before = self._last
        if section < last or (section == last and (section != _RECORDINGS and name <= before)):
            raise BadBackup(f"{name} stands where it does not belong")
        self._last = section, name

    def _member(self, info: tarfile.TarInfo) -> None:
        digest = hashlib.sha256()
        self._take(info.name, info.size, self._pieces(info.size, digest.update))
        self._digest.update(f"{digest.hexdigest()}  {info.name}\n".encode())
        self._members += 1

    def _pieces(self, size: int, hashed: Callable[[bytes], object]) -> Iterator[bytes]:
        left = size
        while left:
            piece = self._exactly(min(left, PIECE))
            left -= len(piece)
            hashed(piece)
            yield piece
        self._exactly(-size % _BLOCK)

    def _exactly(self, size: int) -> bytes:
        data = self._plain.read(size)
        if len(data) != size:
            raise BadBackup("it ends in the middle of a member")
        return data

    def _check_list(self, info: tarfile.TarInfo) -> None:
        digest = hashlib.sha256()
        for _ in self._pieces(info.size, digest.update):
            pass
        if digest.digest() != self._digest.digest():
            raise BadBackup("the list of members has other hashes than the members")

    def _manifest(self, info: tarfile.TarInfo) -> Manifest:
        if info.size > MANIFEST_BYTES:
            raise BadBackup(f"a manifest of {info.size} bytes, at most {MANIFEST_BYTES}")
        found = read_manifest(b"".join(self._pieces(info.size, lambda _: None)))
        if (found.members, found.members_sha256) != (self._members, self._digest.hexdigest()):
            raise BadBackup("its manifest names other members than there are")
        if any(self._exactly(2 * _BLOCK)) or self._plain.read(1):
            raise BadBackup("something stands behind its end")
        return found


_RECORDINGS = section_of("recordings/o/s/r/00000001.chunk")
