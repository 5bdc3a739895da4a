# SPDX-License-Identifier: Apache-2.0
"""Checking a file that somebody was given: an export or a proof, of this installation or any other.

Nothing in it is believed. It is read line by line from where the upload was put, never more of it unpacked than
``MOST_UNPACKED``, for at most ``MOST_S`` seconds, and one file at a time: the server has other things to do.
"""

import gzip
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from portineria.control.audit import queries as audit
from portineria.control.estate.introduction import root_sha256
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Person
from portineria.core.errors import Invalid, Unavailable
from portineria.ledger.checkpoint import Checkpoint
from portineria.ledger.export import LINE_BYTES
from portineria.ledger.trust import Trust
from portineria.ledger.verification import Verdict, verify

MOST_UNPACKED = 4 << 30  # ten million events are 8 GB; those are checked with the command
MOST_S = 30.0
_GZIP = b"\x1f\x8b"
_FAULT_CHARACTERS = 300
_one = threading.Lock()


class TooLong(Invalid):
    """No verdict: neither that it fits nor that it does not."""

    code = "export.too-long"


class Busy(Unavailable):
    code = "export.busy"


@dataclass(frozen=True, slots=True)
class Checked:
    verdict: Verdict
    faults: list[str]  # bounded: the file wrote parts of them
    ours: bool  # signed under the root of this installation
    here: str  # the name of the register it is of, where the reader sees that one
    agrees: bool | None  # with the register as it stands here; None where that was not compared


def check(actor: Person, file: BinaryIO, trust: Trust, *, clock: Callable[[], float] = time.monotonic) -> Checked:
    """Raise TooLong, Busy."""
    if not _one.acquire(blocking=False):
        raise Busy("another file is being checked")
    try:
        verdict = verify(_lines(file, clock() + MOST_S, clock), trust)
    finally:
        _one.release()
    names = {row.public_id: row.name for row in identity.organisations(actor)}
    visible = verdict.organisation in actor.event_organisations
    ours = verdict.root_sha256 == root_sha256()
    return Checked(
        verdict, [_short(fault) for fault in verdict.faults], ours,
        names.get(verdict.organisation, "") if ours and visible else "",
        _agrees(actor, verdict.organisation, verdict.newest) if ours and visible else None,
    )  # fmt: skip


def _agrees(actor: Person, organisation: str, newest: Checkpoint | None) -> bool | None:
    kept = audit.checkpoint_at(actor, organisation, newest.size) if newest else None
    return bytes(kept.root) == newest.root if kept and newest else None


def _short(fault: str) -> str:
    """Without what would turn the direction of writing, or end a line."""
    text = "".join(symbol if symbol.isprintable() else "\N{REPLACEMENT CHARACTER}" for symbol in fault)
    return text if len(text) <= _FAULT_CHARACTERS else text[: _FAULT_CHARACTERS - 1] + "…"


def _lines(file: BinaryIO, until: float, clock: Callable[[], float]) -> Iterator[bytes]:
    """What was cut off, or packed badly, is missing: the check says from which event on."""
    packed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    source, unpacked = gzip.GzipFile(fileobj=file, mode="rb") if packed else file, 0
    try:
        while line := source.readline(LINE_BYTES + 2):
            unpacked += len(line)
            if unpacked > MOST_UNPACKED or clock() > until:
                raise TooLong(f"not finished after {unpacked} bytes")
            yield line
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return
