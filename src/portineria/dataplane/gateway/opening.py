# SPDX-License-Identifier: Apache-2.0
"""A leg whose end-to-end session stands and whose first frame is awaited: for as long as the session is permitted."""

import asyncio

from portineria.core.errors import ProtocolError
from portineria.dataplane.aio.channel import Channel
from portineria.dataplane.aio.tls import Pieces
from portineria.wire.stream import BadStream, Data, Frame, FrameReader, Hello, Refuse, encode_control

EARLY_BYTES = 64 << 10  # an honest connector waits for OPEN; this much is borne, not kept for long


class LegGone(ConnectionError):
    """The leg ended, or its session did, before its first frame."""


class Opening:
    def __init__(self, channel: Channel, relay: str) -> None:
        self.channel, self.relay = channel, relay
        self.reader = FrameReader()
        self.frames: list[Frame] = []
        self._early = 0
        self._hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()

    def begin(self) -> None:
        self.channel.begin(self._data, self._lost)

    async def hello(self) -> Hello:
        """Raises LegGone, or ProtocolError for another first frame."""
        return await self._hello

    def _data(self, pieces: Pieces) -> None:
        try:
            for piece in pieces:
                self._take(self.reader.receive(memoryview(piece)))
        except ProtocolError as error:
            if not self._hello.done():
                self._hello.set_exception(error)
                self._hello.exception()  # heard by whoever awaits it
            self.channel.abort()

    def _take(self, frames: list[Frame]) -> None:
        for frame in frames:
            self._early += len(frame.content) if isinstance(frame, Data) else 1
            if self._early > EARLY_BYTES:
                raise BadStream("more than a beginning before it was answered")
            if self._hello.done():
                self.frames.append(frame)
            elif isinstance(frame, Hello):
                self._hello.set_result(frame)
            else:
                raise BadStream(f"{type(frame).__name__} as first frame")

    def _lost(self, error: Exception | None) -> None:
        if not self._hello.done():
            self._hello.set_exception(LegGone("the leg ended"))
            self._hello.exception()

    @property
    def gone(self) -> bool:
        return self.channel.closed

    def refuse(self, reason: str) -> None:
        """Say no and hang up."""
        self.say_last(encode_control(Refuse(reason)))

    def say_last(self, frames: bytes) -> None:
        """Say this and hang up."""
        self.channel.write(frames)
        self.channel.close()
        self._lost(None)
