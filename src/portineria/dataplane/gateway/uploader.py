# SPDX-License-Identifier: Apache-2.0
"""Takes recordings to the control plane, chunk by chunk, and forgets each when a signed word says that it is kept.

Live bytes come first: while sessions carry any, an upload trickles, unless the room for recordings is half full.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from functools import partial

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portineria.core.errors import PortineriaError, ProtocolError, Unavailable
from portineria.dataplane.aio.away import ServerAway
from portineria.dataplane.aio.task import both
from portineria.dataplane.aio.thread import in_thread
from portineria.dataplane.gateway.chunk_folder import ChunkFolder, Waiting
from portineria.dataplane.gateway.http import b64, base_url, post_bytes, unb64
from portineria.dataplane.gateway.letter import Postbox
from portineria.dataplane.gateway.pins import Pins
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.recording.chunk import read_chunk
from portineria.recording.upload import HEADER, Upload, sign_upload
from portineria.wire.envelope import read_signed
from portineria.wire.report import StreamTraffic
from portineria.wire.statement import RecordingKept, open_kept, sha256

log = structlog.get_logger()
PIECE_BYTES = 8192
LOOK_S = 0.5  # how often session traffic is looked at
REFUSED_S = 600.0  # a recording that the server will not have is tried again after this


class NotKept(ProtocolError):
    """The server's word is about something else."""

    code = "recording.not-kept"


class Uploader:
    """``traffic``: of the streams that run."""

    def __init__(
        self, settings: GatewaySettings, folder: ChunkFolder, key: Ed25519PrivateKey, pins: Pins, postbox: Postbox,
        traffic: Callable[[], list[StreamTraffic]],
    ) -> None:  # fmt: skip
        self._settings, self._folder, self._key, self._pins, self._postbox = settings, folder, key, pins, postbox
        self._traffic = traffic
        self._busy = False
        self._kept: dict[str, int] = {}  # recording → the newest chunk that is kept elsewhere and still here
        self._refused: dict[str, float] = {}
        self._away = False

    async def _watch(self) -> None:
        """For ever: whether anybody works."""
        before = self._traffic()
        while True:
            await asyncio.sleep(LOOK_S)
            now = self._traffic()
            self._busy, before = now != before, now

    async def run(self) -> None:
        """For ever."""
        await both(self._watch(), self._rounds())

    async def _rounds(self) -> None:
        while True:
            try:
                await self._round()
                self._away = False
            except (PortineriaError, OSError) as error:
                if not self._away:
                    log.warning("upload.away", why=str(error))
                self._away = True
            await asyncio.sleep(self._settings.upload_every_s)

    async def _round(self) -> None:
        """Raises Unavailable when the server is away; what is refused waits without holding the others up."""
        for recording in await in_thread(self._folder.recordings):
            await self._bring(await in_thread(partial(self._folder.waiting_of, recording)))

    async def _bring(self, waiting: list[Waiting]) -> None:
        """Of one recording: after a day without the server there are too many to look at all of them for each."""
        now = asyncio.get_running_loop().time()
        for chunk in waiting:
            if chunk.number <= self._kept.get(chunk.recording, 0) or self._refused.get(chunk.recording, 0) > now:
                continue
            try:
                last = await in_thread(lambda chunk=chunk: self._take(chunk))  # type: ignore[misc]
            except Unavailable:
                raise
            except PortineriaError as error:
                log.error("upload.refused", recording=chunk.recording, number=chunk.number, code=error.code,
                          why=str(error))  # fmt: skip
                self._refused[chunk.recording] = now + REFUSED_S
                continue
            await self._forget(chunk, last=last)

    async def _forget(self, kept: Waiting, *, last: bool) -> None:
        """The newest chunk of a recording that goes on stays: the next process needs it, to say the end."""
        self._kept[kept.recording] = kept.number
        for chunk in await in_thread(partial(self._folder.waiting_of, kept.recording)):
            if chunk.number < kept.number or (last and chunk == kept):
                await in_thread(lambda chunk=chunk: self._folder.forget(chunk))  # type: ignore[misc]
        if last:
            self._kept.pop(kept.recording, None)

    # -- in a thread -------------------------------------------------------------------------------------------

    def _take(self, waiting: Waiting) -> bool:
        """Whether it was the last of its recording. Raise Refused, Unavailable, ProtocolError, OSError."""
        data = self._folder.read(waiting.path)
        entry = read_chunk(data).entry
        upload = Upload(entry.gateway, entry.recording, entry.number, len(data), sha256(data))
        headers = {HEADER: b64(sign_upload(upload, self._key)), "Content-Type": "application/octet-stream"}
        answer = self._post(data, headers)
        signed = read_signed(unb64(answer, "kept"))
        kept = open_kept(signed, self._postbox.signer(signed)[1])
        if kept != RecordingKept(upload.gateway, upload.recording, upload.number, upload.sha256):
            raise NotKept(f"the server's word about {upload.recording}/{upload.number} is about another chunk")
        return bool(entry.end)

    def _post(self, data: bytes, headers: dict[str, str]) -> dict[str, object]:
        away: Unavailable | None = None
        for url in dict.fromkeys((self._pins.pinned.enrolled_at, self._pins.trust.renew_url)):
            try:
                return post_bytes(
                    f"{base_url(url)}/api/v1/gateways/recordings", self._paced(data), len(data), headers,
                    proxy=self._settings.proxy,
                )  # fmt: skip
            except Unavailable as error:
                away = error
        raise away or ServerAway("no address to take recordings to")

    def _paced(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), PIECE_BYTES):
            yield data[at : at + PIECE_BYTES]
            if self._busy and self._folder.used < self._folder.limit_bytes // 2:
                time.sleep(PIECE_BYTES / self._settings.upload_busy_bytes_s)
