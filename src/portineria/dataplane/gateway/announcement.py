# SPDX-License-Identifier: Apache-2.0
"""What both ends of a session are told of its drains: the register by events, the technician on every stream."""

from collections.abc import Mapping

from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.permit import Drain
from portineria.dataplane.gateway.spool import Spool
from portineria.dataplane.gateway.stream import GatewayStream
from portineria.wire.stream import Notice


class Announcements:
    """Of one session; ``streams`` are those that run, whenever it is asked."""

    def __init__(self, session: str, spool: Spool, streams: Mapping[str, GatewayStream]) -> None:
        self._session, self._spool, self._streams = session, spool, streams
        self._draining: Drain | None = None
        self._said_draining = False  # upwards: what was recorded as begun is recorded as lifted
        self._lifted: Notice | None = None  # the newest, for a stream whose leg was away

    def drain(self, drain: Drain | None, now: float, *, busy: bool) -> None:
        """Tell both ends when a drain begins, again when its end or reason becomes another one, and when it is over."""
        if drain == self._draining:
            return
        before, self._draining = self._draining, drain
        if drain is None:
            assert before is not None  # noqa: S101 - it is another one than None
            self._lift(before)
            return
        seconds = round(max(drain.until - now, 0))
        if busy or not drain.waits:
            self._spool.record("session.draining", self._session, seconds=seconds, reason=drain.reason)
            self._said_draining = True
        for stream in self._streams.values():
            stream.notify(Notice(drain.reason, seconds))

    def _lift(self, drain: Drain) -> None:
        """A lease came back, the spool has room again, or a newer order: what runs goes on and new things may start."""
        if self._said_draining:
            self._spool.record("session.resumed", self._session, reason=drain.reason)
            self._said_draining = False
        self._lifted = Notice(drain.reason, None)
        for stream in self._streams.values():
            stream.notify(self._lifted)

    def again(self, stream: GatewayStream) -> None:
        """A new leg: its other end may not have heard of the drain, or of its end."""
        if self._draining is not None:
            stream.notify(Notice(self._draining.reason, round(max(self._draining.until - boot_s(), 0))))
        elif self._lifted is not None:
            stream.notify(self._lifted)
