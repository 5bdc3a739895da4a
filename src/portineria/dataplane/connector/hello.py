# SPDX-License-Identifier: Apache-2.0
"""HELLO and its answer on one leg (WIRE 13)."""

import asyncio
from dataclasses import dataclass

from portineria.core.errors import Denied, ProtocolError
from portineria.dataplane.aio.channel import Channel
from portineria.dataplane.aio.stream_end import StreamEnd
from portineria.dataplane.aio.tls import Pieces
from portineria.dataplane.connector.tool_side import ToolSide
from portineria.wire.stream import BadStream, Frame, FrameReader, Hello, Open, Refuse, data_head, encode_control

FIRST_BYTES = 16 << 10  # behind HELLO; a gateway bears 64 KiB before its answer
ANSWER_S = 20.0  # the gateway gives order and lease 5 s to arrive, and the device 10 s to answer


class StreamRefused(Denied):
    """The gateway's answer; ``code`` is its reason."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the gateway refused: {code}")
        self.code = code


@dataclass(slots=True)
class Opened:
    """A leg on which the gateway said OPEN, and what came behind that."""

    leg: Channel
    reader: FrameReader
    resume_from: int
    behind: list[Frame]
    said: int  # bytes that went behind HELLO

    def attach(self, stream: StreamEnd) -> None:
        """Let ``stream`` go on over this leg; raise BadStream when the two do not fit."""
        stream.attach(self.leg, self.reader, max(self.resume_from, self.said))
        stream.handle(self.behind)
        if self.leg.closed and self.leg.on_lost is not None:  # it was lost before the stream was listening
            self.leg.on_lost(None)


class _Answer:
    def __init__(self, leg: Channel) -> None:
        self._leg = leg
        self.reader = FrameReader()
        self.frames: list[Frame] = []
        self.first: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()

    def data(self, pieces: Pieces) -> None:
        try:
            for piece in pieces:
                self.frames += self.reader.receive(memoryview(piece))
        except ProtocolError as error:
            self._fail(error)
            self._leg.abort()
            return
        if self.frames and not self.first.done():
            self.first.set_result(self.frames.pop(0))

    def lost(self, error: Exception | None) -> None:
        self._fail(error if isinstance(error, ProtocolError) else ConnectionError("the leg was lost before the answer"))

    def _fail(self, error: Exception) -> None:
        if not self.first.done():
            self.first.set_exception(error)


class FirstWords:
    """What the tool says first goes right behind HELLO: its first answer is then there a round trip earlier.

    ``sent``: how many bytes on the last leg. ``said``: whether any gateway may have heard them. If that one is then
    lost, nobody knows whether the device did.
    """

    def __init__(self, tool: ToolSide) -> None:
        self._tool = tool
        self.sent, self.said = 0, False

    def begin(self, leg: Channel) -> None:
        """On this leg, as soon as there is something and until ``end``."""
        self.sent = 0
        self._tool.on_first = lambda: self._send(leg)
        self._send(leg)

    def _send(self, leg: Channel) -> None:
        first = self._tool.first
        if 0 < len(first) <= FIRST_BYTES and not leg.closed:
            leg.write(data_head(0, len(first)), first)
            self.sent, self.said = len(first), True

    def end(self) -> None:
        self._tool.on_first = None


async def say_hello(leg: Channel, hello: Hello, first: FirstWords | None = None) -> Opened:
    """Raises StreamRefused, TimeoutError, ProtocolError, ConnectionError (leg lost); the leg is then closed.

    ``first``: of a new stream's tool.
    """
    answer = _Answer(leg)
    try:
        leg.begin(answer.data, answer.lost)
        leg.write(encode_control(hello))
        if first is not None:
            first.begin(leg)
        async with asyncio.timeout(ANSWER_S):
            frame = await answer.first
        if isinstance(frame, Refuse):
            raise StreamRefused(frame.reason)
        if not isinstance(frame, Open):
            raise BadStream(f"{type(frame).__name__} instead of OPEN")
    except BaseException:
        leg.on_data = leg.on_lost = None
        leg.close()
        raise
    finally:
        if first is not None:
            first.end()
    return Opened(leg, answer.reader, frame.resume_from, answer.frames, first.sent if first is not None else 0)
