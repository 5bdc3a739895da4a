# SPDX-License-Identifier: Apache-2.0
"""A connector reduced to its wire side, for tests: a session key, legs, streams; the local socket is a bytearray."""

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from portineria.core.ids import Kind, new_id
from portineria.dataplane.aio.channel import Channel
from portineria.dataplane.aio.leg import Way, dial_leg
from portineria.dataplane.aio.stream_end import StreamEnd, read_buffer
from portineria.dataplane.aio.tls import Pieces, inner_context
from portineria.wire import certificate as certificates
from portineria.wire.leg import END_TO_END_ALPN, Challenge, ConnectorLeg, prove
from portineria.wire.statement import Asset, RelayAddress
from portineria.wire.stream import DATA_OVERHEAD, Frame, FrameReader, Hello, Notice, Open, Refuse, encode_control
from tests.integration.authority import Authority
from tests.integration.credentials import PEM
from tests.integration.process import eventually


class Refused(Exception):
    """The gateway's REFUSE; ``reason`` is its code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Leg:
    """An end-to-end session with the gateway on which nothing was said yet."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.reader = FrameReader()
        self._frames: list[Frame] = []
        self._first: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        channel.begin(self._data, self._lost)

    def _data(self, pieces: Pieces) -> None:
        for piece in pieces:
            self._frames += self.reader.receive(memoryview(piece))
        if self._frames and not self._first.done():
            self._first.set_result(self._frames.pop(0))

    def _lost(self, error: Exception | None) -> None:
        if not self._first.done():
            self._first.set_exception(ConnectionError(f"the leg ended: {error}"))
            self._first.exception()

    async def answer(self) -> Frame:
        async with asyncio.timeout(20):
            return await self._first

    def take_rest(self) -> list[Frame]:
        rest, self._frames = self._frames, []
        return rest

    def abort(self) -> None:
        self.channel.abort()


class Tool:
    """Stands for the technician's tool: what the device said is in ``heard``."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.eof = self.aborted = self.closed = False
        self.paused = False
        self.unsent = 0

    def write(self, pieces: list[memoryview]) -> None:
        for piece in pieces:
            self.heard += piece

    def write_eof(self) -> None:
        self.eof = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


class Stream:
    """One stream; ``say`` puts bytes in as the tool would, at the pace the stream allows."""

    def __init__(self, name: str, order_sha256: bytes, asset: Asset) -> None:
        self.name, self.order_sha256, self.asset = name, order_sha256, asset
        self.tool = Tool()
        self.notices: list[Notice] = []
        self.over: str | None = None
        self.legs_lost = 0
        self.end = StreamEnd(
            self.tool, gateway_side=False, on_over=self._over, on_leg_lost=self._leg_lost, on_notice=self.notices.append
        )
        self.leg: Leg | None = None

    def _over(self, how: str) -> None:
        self.over = how

    def _leg_lost(self) -> None:
        self.legs_lost += 1

    def attach(self, leg: Leg, answer: Open) -> None:
        self.leg = leg
        self.end.attach(leg.channel, leg.reader, answer.resume_from)
        self.end.handle(leg.take_rest())

    async def say(self, data: bytes) -> None:
        """Returns when the stream has taken all of it; raises ConnectionError when it ended before."""
        at = 0
        while at < len(data):
            while self.tool.paused and self.over is None:  # noqa: ASYNC110 - the stream calls back
                await asyncio.sleep(0.001)
            if self.over is not None:
                raise ConnectionError(f"the stream is over: {self.over}")
            piece, buffer = data[at : at + 65536], read_buffer()
            buffer[DATA_OVERHEAD : DATA_OVERHEAD + len(piece)] = piece
            self.end.local_data(buffer, len(piece))
            at += len(piece)
            await asyncio.sleep(0)

    def say_end(self) -> None:
        self.end.local_eof()

    def hang_up(self) -> None:
        self.end.local_lost("tool.reset")

    async def heard(self, count: int) -> bytes:
        await eventually(lambda: len(self.tool.heard) >= count, f"{count} bytes from the device", within_s=20)
        return bytes(self.tool.heard)

    async def ended(self, how: str | None = None) -> str:
        await eventually(lambda: self.over is not None, "the end of the stream", within_s=20)
        assert self.over is not None
        if how is not None:
            assert self.over == how
        return self.over


class End:
    """The technician's end of one session."""

    def __init__(self, authority: Authority, gateway: str, directory: Path, *, session: str | None = None) -> None:
        self.authority, self.gateway = authority, gateway
        self.session = session or new_id(Kind.SESSION)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.spki = certificates.spki(self.key.public_key())
        self.key_sha256 = certificates.spki_sha256(self.key.public_key())
        place = directory / f"end-{secrets.token_hex(4)}"
        place.mkdir(parents=True)
        self.chain, self.key_file = place / "session.pem", place / "session.key"
        leaf = authority.issue("session", self.session, self.key.public_key())
        self.chain.write_bytes(leaf.public_bytes(Encoding.PEM))
        self.key_file.write_bytes(self.key.private_bytes(*PEM))
        self.order_sha256 = bytes(32)
        self.assets: list[Asset] = []

    def permit(self, assets: list[Asset], **fields: object) -> bytes:
        """Have the session ordered (anew) with these assets; return the order's hash."""
        self.assets = assets
        order = self.authority.order(self.gateway, self.session, self.key_sha256, assets, **fields)
        self.order_sha256 = self.authority.permit(order)
        return self.order_sha256

    # -- legs --------------------------------------------------------------------------------------------------

    async def dial(
        self, *, nested: bool = False, relay: RelayAddress | None = None, ticket: bytes | None = None,
        introduce: Callable[[Challenge, bool], ConnectorLeg] | None = None, alpn: str = END_TO_END_ALPN,
    ) -> Leg:  # fmt: skip
        """A ready leg whose far end is proven to be the gateway. Raises what ``dial_leg`` raises."""
        address = relay or self.authority.relay.address
        way = Way(self.authority.issuers["relay"], lambda _: None, nested=nested)
        given = ticket or self.authority.ticket(address.relay, self.gateway, self.session, self.key_sha256)

        def present(challenge: Challenge, stay_nested: bool) -> ConnectorLeg:
            return ConnectorLeg(given, self.spki, prove(self.key, challenge, "leg"), stay_nested)

        ready = await dial_leg(address, way, introduce or present)
        channel = Channel(ready.layers)
        context = inner_context(
            server_side=False, chain=self.chain, key=self.key_file, issuer=self.authority.issuers["gateway"]
        )
        context.set_alpn_protocols([alpn] if alpn else [])
        layer = await channel.start(ready.sock, context, server_side=False, early=ready.early)
        if alpn == END_TO_END_ALPN:
            layer.require_alpn(alpn)
        identity = certificates.check_leaf(
            layer.peer_certificate(), kind="gateway", issuer=self.authority.issuers["gateway"]
        )
        assert identity.id == self.gateway
        assert identity.spki_sha256 == self.authority.gateways[self.gateway].spki_sha256
        return Leg(channel)

    # -- streams -----------------------------------------------------------------------------------------------

    async def open(
        self, asset: Asset | None = None, *, nested: bool = False, leg: Leg | None = None, name: str = "",
        order_sha256: bytes | None = None,
    ) -> Stream:  # fmt: skip
        """Raises Refused. ``asset`` may be one that was never granted."""
        wanted = asset or self.assets[0]
        used = leg or await self.dial(nested=nested)
        stream = Stream(name or new_id(Kind.STREAM), order_sha256 or self.order_sha256, wanted)
        answer = await self._hello(used, stream, resume=False)
        stream.attach(used, answer)
        return stream

    async def resume(self, stream: Stream, *, nested: bool = False, relay: RelayAddress | None = None) -> None:
        leg = await self.dial(nested=nested, relay=relay)
        stream.attach(leg, await self._hello(leg, stream, resume=True))

    async def _hello(self, leg: Leg, stream: Stream, *, resume: bool) -> Open:
        asset = stream.asset
        hello = Hello(stream.order_sha256, stream.name, asset.service, asset.port, stream.end.received, resume)
        leg.channel.write(encode_control(hello))
        answer = await leg.answer()
        if isinstance(answer, Refuse):
            raise Refused(answer.reason)
        assert isinstance(answer, Open), answer
        return answer
