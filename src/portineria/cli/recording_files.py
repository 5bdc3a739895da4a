# SPDX-License-Identifier: Apache-2.0
"""Where the chunks of recordings lie: a folder, the archive that a server gives out, one file."""

import tarfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath

from portineria.core.errors import NotFound
from portineria.recording.chunk import CHUNK_BYTES

SUFFIX = ".chunk"
Recordings = Iterator[tuple[str, Iterator[bytes]]]


class NoRecording(NotFound):
    code = "recording.file"


def recordings(path: Path) -> Recordings:
    """(name of the folder of one recording, its chunks in the order of their files' names). Raise NoRecording.

    Of a file that is longer than any chunk only so much is read that it is refused.
    """
    if path.is_dir():
        return _of_folder(path)
    if path.suffix == ".tar":
        return _of_archive(path)
    if not path.is_file():
        raise NoRecording(f"there is no recording at {path}")
    return iter([(path.name, iter([_read(path)]))])


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(CHUNK_BYTES + 1)


def _of_folder(path: Path) -> Recordings:
    files = sorted(path.rglob(f"*{SUFFIX}"))
    if not files:
        raise NoRecording(f"there is no file *{SUFFIX} in {path}")
    for folder, found in groupby(files, key=lambda file: file.parent):
        yield folder.name, map(_read, found)


def _of_archive(path: Path) -> Recordings:
    try:
        with tarfile.open(path, "r:") as archive:
            members = [member for member in archive.getmembers() if member.isfile() and member.name.endswith(SUFFIX)]
            if not members:
                raise NoRecording(f"there is no file *{SUFFIX} in {path}")
            members.sort(key=lambda member: member.name)
            for folder, found in groupby(members, key=lambda member: PurePosixPath(member.name).parent):
                yield folder.name, (_member(archive, member) for member in found)
    except (tarfile.TarError, EOFError) as error:
        raise NoRecording(f"{path} is no whole archive: {error}") from error
    except FileNotFoundError as error:
        raise NoRecording(f"there is no recording at {path}") from error


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return b"" if file is None else file.read(CHUNK_BYTES + 1)
