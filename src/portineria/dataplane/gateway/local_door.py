# SPDX-License-Identifier: Apache-2.0
"""The door of a running gateway for whoever sits at its machine: one Unix socket in its folder. No network leads there.

One question, one answer, then it is closed. Only root and the user of the gateway are heard; the folder keeps
everybody else away already.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta

from portineria.core.errors import Unavailable
from portineria.dataplane.aio.task import Tasks

log = structlog.get_logger()
QUESTION_BYTES, ANSWER_BYTES = 8 << 10, 64 << 10
_READ_S, _ANSWER_S = 5.0, 60.0  # whoever asks waits while devices are cut and events are written
_AT_ONCE = 4
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: ucred of unix(7)
Reason = Annotated[str, Meta(min_length=1, max_length=500)]
Word = Annotated[str, Meta(min_length=1, max_length=200)]


class NotRunning(Unavailable):
    code = "gateway.not-running"


class CutNow(msgspec.Struct, frozen=True, tag="cut"):
    """End every session, and begin none until it is lifted."""

    reason: Reason


class LiftCut(msgspec.Struct, frozen=True, tag="lift"):
    reason: Reason


class Proof(msgspec.Struct, frozen=True):
    """``holder``: who it is, as their PIN was set: the e-mail address of their account."""

    holder: Word
    pin: Word

    def __repr__(self) -> str:
        return f"Proof({self.holder!r})"


class OpenNow(msgspec.Struct, frozen=True, tag="open"):
    """One service of one machine, to one client of the plant's network. ``machine``, ``service``: by name or id."""

    machine: Word
    service: Word
    client: Word
    reason: Reason
    seconds: Annotated[int, Meta(ge=5, le=14400)]
    first: Proof
    second: Proof


class CloseOpenings(msgspec.Struct, frozen=True, tag="close"):
    """End all that is open."""


class SetPin(msgspec.Struct, frozen=True, tag="pin"):
    proof: Proof


class RemovePin(msgspec.Struct, frozen=True, tag="unpin"):
    holder: Word


class Show(msgspec.Struct, frozen=True, tag="show"):
    """What may be opened, who may, what is open."""


class Answer(msgspec.Struct, frozen=True):
    """``code`` is empty when it was done."""

    code: str = ""
    said: dict[str, str | int | list[str]] = {}


Question = CutNow | LiftCut | OpenNow | CloseOpenings | SetPin | RemovePin | Show
Act = Callable[[Question], Awaitable[Answer]]
_QUESTION: msgspec.json.Decoder[Question] = msgspec.json.Decoder(Question)
_ANSWER: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path of a socket may have 107 bytes; this one has few, however deep the folder lies."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class LocalDoor:
    """``open`` it on a folder that is locked; ``act`` is asked one thing at a time."""

    def __init__(self, path: Path, act: Act) -> None:
        self._path, self._act = path, act
        self._tasks, self._turn = Tasks(), asyncio.Lock()
        self._open = 0
        self._listener: socket.socket | None = None

    async def open(self) -> None:
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        before = os.umask(0o177)
        try:
            with _short(self._path) as address:
                self._listener.bind(address)
        finally:
            os.umask(before)
        self._listener.listen(_AT_ONCE)
        self._tasks.spawn(self._accept(self._listener), "local door")

    async def close(self) -> None:
        await self._tasks.close()
        if self._listener is not None:
            self._listener.close()
            self._path.unlink(missing_ok=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            visitor, _ = await loop.sock_accept(listener)
            if self._open >= _AT_ONCE or not _is_known(visitor):
                visitor.close()
                continue
            self._open += 1
            self._tasks.spawn(self._serve(visitor), "local visitor")

    async def _serve(self, visitor: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            with visitor, suppress(OSError, TimeoutError):
                async with asyncio.timeout(_READ_S):
                    asked = await _line(visitor)
                async with self._turn:
                    answer = await self._answer(asked)
                await loop.sock_sendall(visitor, msgspec.json.encode(answer) + b"\n")
        finally:
            self._open -= 1

    async def _answer(self, asked: bytes) -> Answer:
        try:
            question = _QUESTION.decode(asked)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            log.warning("local.unreadable", why=str(error))
            return Answer("local.unreadable")
        return await self._act(question)


def _is_known(visitor: socket.socket) -> bool:
    credentials = visitor.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(credentials)
    return user in (0, os.geteuid())


async def _line(visitor: socket.socket) -> bytes:
    """Empty for what is too long or breaks off: nothing that can be read."""
    said = b""
    while b"\n" not in said and len(said) <= QUESTION_BYTES:
        more = await asyncio.get_running_loop().sock_recv(visitor, QUESTION_BYTES + 1)
        if not more:
            return b""
        said += more
    return said.partition(b"\n")[0] if len(said) <= QUESTION_BYTES else b""


def ask(path: Path, question: Question) -> Answer:
    """From another process on this machine. Raise NotRunning where nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
        visitor.settimeout(_ANSWER_S)
        try:
            with _short(path) as address:
                visitor.connect(address)
            visitor.sendall(msgspec.json.encode(question) + b"\n")
            said = b""
            while b"\n" not in said and len(said) < ANSWER_BYTES and (more := visitor.recv(1 << 16)):
                said += more
            return _ANSWER.decode(said.partition(b"\n")[0])
        except (FileNotFoundError, ConnectionError, TimeoutError, msgspec.DecodeError) as error:
            raise NotRunning(f"the gateway at {path.parent} does not answer: {error}") from error
