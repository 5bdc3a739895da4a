# SPDX-License-Identifier: Apache-2.0
"""What a leg asks for, and whether it gets it: a new stream to a device, or a running one after a blip."""

import asyncio

from portineria.core.errors import Invalid
from portineria.core.ids import Kind, parse_id
from portineria.dataplane.gateway.clock import boot_s
from portineria.dataplane.gateway.device import DeviceFailed, connect_device
from portineria.dataplane.gateway.farewell import Farewell, Farewells
from portineria.dataplane.gateway.opening import Opening
from portineria.dataplane.gateway.past import NOTICED_S, PastStream, UsedNames
from portineria.dataplane.gateway.rate import PerMinute
from portineria.dataplane.gateway.seen import remember_stream
from portineria.dataplane.gateway.session import Session, Surroundings
from portineria.dataplane.gateway.store import StoreFull
from portineria.wire.statement import Asset
from portineria.wire.stream import Hello

WAITING_LEGS = 32  # ready legs of one session, 160 KiB each
REFUSALS_PER_MINUTE = 60  # that are recorded: a refused technician must not be able to flood the ledger


class Admission:
    """One per session."""

    def __init__(self, session: Session, around: Surroundings) -> None:
        self._session, self._around = session, around
        self._used = UsedNames()
        self._opening: dict[str, asyncio.Event] = {}  # streams whose HELLO has come and whose answer has not gone
        self._refusals = PerMinute(REFUSALS_PER_MINUTE)

    @property
    def session(self) -> str:
        return self._session.order.session

    def say_farewell(self, key_sha256: bytes, farewells: Farewells) -> None:
        session = self._session
        farewell = Farewell(session.past, session.order_hashes, hello_s=self._around.settings.hello_s)
        farewells.add(key_sha256, farewell, kept_s=NOTICED_S + session.order.hold_s)

    async def serve(self, opening: Opening) -> None:
        """One leg, from its handshake to the stream it carries. Raises LegGone and ProtocolError."""
        if len(self._session.waiting) >= min(self._session.order.max_legs, WAITING_LEGS):
            opening.refuse("streams.full")
            return
        self._session.waiting.add(opening)
        try:
            hello = await opening.hello()
        finally:
            self._session.waiting.discard(opening)
        try:
            parse_id(hello.stream, Kind.STREAM)
        except Invalid:
            opening.channel.abort()
            return
        if hello.resume:
            await self._resume(opening, hello)
        else:
            await self._open(opening, hello)

    async def _resume(self, opening: Opening, hello: Hello) -> None:
        if (answered := self._opening.get(hello.stream)) is not None:
            await answered.wait()  # its first leg died early: the device must not see a second connection
        stream = self._session.streams.get(hello.stream)
        if stream is None or not self._session.resumes(hello.order_sha256):
            self._say_past(opening, hello)
            return
        after_ms = stream.resume(opening, hello.resume_from)
        self._around.spool.record(
            "stream.resumed", self._session.order.session, stream=hello.stream, after_ms=after_ms, relay=opening.relay
        )
        self._session.announcements.again(stream)

    def _say_past(self, opening: Opening, hello: Hello) -> None:
        past = self._session.past.find(hello.stream)
        if past is not None and self._session.resumes(hello.order_sha256):
            opening.say_last(past.answer(hello.resume_from))
            return
        # A relay may hold its HELLO back. The other end opens anew under another name: this one comes too late.
        self._used.add(hello.stream)
        opening.refuse("hold.expired")

    async def _open(self, opening: Opening, hello: Hello) -> None:
        if hello.stream in self._used or hello.stream in self._opening:
            self._refuse(opening, hello, "order.stale")
            return
        answered = self._opening[hello.stream] = asyncio.Event()
        try:
            await self._first_lease(hello)
            reason = self._why_not(hello) or await self._connect_permitted(opening, hello)
            if reason is not None:
                self._session.past.add(hello.stream, PastStream(reason), hold_s=self._session.order.hold_s)
                self._refuse(opening, hello, reason)
        except asyncio.CancelledError:  # the session ended meanwhile
            opening.refuse("order.unknown")
            raise
        finally:
            del self._opening[hello.stream]
            answered.set()

    async def _first_lease(self, hello: Hello) -> None:
        """The order and its first lease may still be on their way."""
        deadline = asyncio.get_running_loop().time() + self._around.settings.order_wait_s
        while not self._session.ended and self._may_come(hello):
            try:
                async with asyncio.timeout_at(deadline):
                    await self._session.changed()
            except TimeoutError:
                return

    def _may_come(self, hello: Hello) -> bool:
        newer = hello.order_sha256 not in self._session.order_hashes
        return newer or self._session.permit.refuses_new(boot_s()) == "lease.missing"

    def _asset(self, hello: Hello) -> Asset | None:
        found = (a for a in self._session.order.assets if a.service == hello.service and a.port == hello.asset_port)
        return next(found, None)

    def _why_not(self, hello: Hello) -> str | None:
        """The code of the first reason to refuse a new stream; None when it may be opened."""
        if self._session.ended:
            return "order.unknown"
        if hello.order_sha256 != self._session.order_sha256:
            return "order.stale"
        transferring = self._session.inspections.transfer.running
        if (reason := self._session.permit.refuses_new(boot_s(), transferring=transferring)) is not None:
            return reason
        if (asset := self._asset(hello)) is None:
            return "service.not-granted"
        if self._session.load >= self._session.order.max_legs or not self._around.room():
            return "streams.full"
        if self._around.spool.full:
            return "spool.full"
        self._around.reach.refresh()
        return self._around.reach.refuses(asset.address, asset.port)

    async def _connect_permitted(self, opening: Opening, hello: Hello) -> str | None:
        asset = self._asset(hello)
        assert asset is not None  # noqa: S101 - _why_not looked
        self._used.add(hello.stream)
        with self._session.opening():
            return await self._connect(opening, hello, asset)

    async def _connect(self, opening: Opening, hello: Hello, asset: Asset) -> str | None:
        """The code of why there is no connection; None when there is."""
        recorder = self._session.recorder
        if recorder is not None and (why := await recorder.ready(self._around.settings.order_wait_s)) is not None:
            return why
        try:
            settings = self._around.settings
            sock = await connect_device(
                asset.address, asset.port, timeout_s=settings.connect_s, own=settings.loopback_devices
            )
        except DeviceFailed as error:
            return error.code
        session = self._session.order.session
        stream = self._session.add(hello.stream, asset, sock)  # from here on the session's end is also the socket's
        try:
            await self._around.spool.record(
                "stream.opened", session, must=False, also=remember_stream(session, hello.stream), stream=hello.stream,
                service=asset.service, address=asset.address, port=asset.port, transport=asset.transport,
            )  # fmt: skip
        except StoreFull:
            self._session.discard(stream)
            return "spool.full"
        if stream.over:
            opening.refuse("order.unknown")
        else:
            stream.start(opening)
        return None

    def _refuse(self, opening: Opening, hello: Hello, reason: str) -> None:
        opening.refuse(reason)
        if not self._session.ended and self._refusals.take():
            asset = self._asset(hello)
            self._around.spool.record(
                "stream.refused", self._session.order.session, stream=hello.stream, service=hello.service,
                address=asset.address if asset else "", port=hello.asset_port, transport=hello.transport, reason=reason,
            )  # fmt: skip


class Admissions:
    """Who answers which session key."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._by_key: dict[bytes, Admission] = {}
        self._over = Farewells()
        self._arrived = asyncio.Event()

    def add(self, key_sha256: bytes, session: Session) -> None:
        self._by_key[key_sha256] = Admission(session, self._around)
        self._arrived.set()
        self._arrived = asyncio.Event()

    def rename(self, old: bytes, new: bytes) -> None:
        """A superseding order may name another session key; the old one then opens nothing more."""
        self._by_key[new] = self._by_key.pop(old)

    def end(self, key_sha256: bytes) -> None:
        """The session is over: under this key only its streams' last words are heard, for a moment."""
        self._by_key.pop(key_sha256).say_farewell(key_sha256, self._over)

    def session_of(self, key_sha256: bytes) -> str | None:
        found = self._by_key.get(key_sha256)
        return found.session if found is not None else None

    async def find(self, key_sha256: bytes) -> Admission | Farewell | None:
        """Who answers this key; its order may still be on its way. None when none comes."""
        deadline = asyncio.get_running_loop().time() + self._around.settings.order_wait_s
        while (found := self._by_key.get(key_sha256) or self._over.find(key_sha256)) is None:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._arrived.wait()
            except TimeoutError:
                return None
        return found
