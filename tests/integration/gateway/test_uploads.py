# SPDX-License-Identifier: Apache-2.0
"""Recordings leave the gateway in order, and are forgotten for the server's signed word alone."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from portineria.core.ids import Kind, new_id
from portineria.dataplane.gateway.chunk_folder import ChunkFolder, Waiting
from portineria.dataplane.gateway.http import b64, unb64
from portineria.dataplane.gateway.letter import Postbox
from portineria.dataplane.gateway.pins import Pins
from portineria.dataplane.gateway.settings import GatewaySettings
from portineria.dataplane.gateway.uploader import Uploader
from portineria.recording.capture import Capture, Clocks
from portineria.recording.seal import About, Sealer
from portineria.recording.upload import HEADER, Upload, open_upload
from portineria.recording.verification import verify
from portineria.wire.statement import RecordingKept, sha256, sign_statement
from tests.integration.authority import Authority
from tests.integration.end import End
from tests.integration.floor import Device, Floor
from tests.integration.gateway.conftest import Plant, asset_of
from tests.integration.gateway_process import GatewayProcess
from tests.integration.process import eventually

OWNER = pyrage.x25519.Identity.generate()


@dataclass
class Shelf:
    """The server's side: keeps what comes in its place. ``word`` makes the signed answer, None is an error."""

    authority: Authority
    chunks: list[bytes] = field(default_factory=list)
    asked: int = 0
    word: Callable[[Upload], bytes | None] = lambda upload: None
    server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                status, body = shelf.take(self.headers[HEADER], data)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def take(self, header: str, data: bytes) -> tuple[int, bytes]:
        [known] = self.authority.gateways.values()
        key = Ed25519PublicKey.from_public_bytes(known.request.event_key)
        upload = open_upload(unb64({"upload": header}, "upload"), key)
        assert (upload.size, upload.sha256) == (len(data), sha256(data))
        self.asked += 1
        word = self.word(upload)
        if word is None:
            return 503, b"{}"
        if upload.number == len(self.chunks) + 1:
            self.chunks.append(data)
        return 200, msgspec.json.encode({"kept": b64(word)})

    def kept(self, upload: Upload) -> bytes:
        said = RecordingKept(upload.gateway, upload.recording, upload.number, upload.sha256)
        return sign_statement(said, self.authority.signer_keys["acknowledgement"], self.signer("acknowledgement"))

    def signer(self, role: str) -> str:
        return self.authority.signer_ids[role]

    def false_words(self, upload: Upload) -> Iterator[bytes]:
        """Of somebody else's key, of another role, about another chunk, about other bytes."""
        said = RecordingKept(upload.gateway, upload.recording, upload.number, upload.sha256)
        name = self.signer("acknowledgement")
        yield sign_statement(said, Ed25519PrivateKey.generate(), name)
        yield sign_statement(said, self.authority.signer_keys["order"], self.signer("order"))
        key = self.authority.signer_keys["acknowledgement"]
        yield sign_statement(msgspec.structs.replace(said, number=upload.number + 1), key, name)
        yield sign_statement(msgspec.structs.replace(said, sha256=bytes(32)), key, name)


@pytest.fixture
async def shelf(authority: Authority) -> AsyncIterator[Shelf]:
    made = Shelf(authority)
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(5)


@pytest.fixture
async def bringing(
    authority: Authority, device: Device, floor: Floor, tmp_path: Path, shelf: Shelf
) -> AsyncIterator[Plant]:
    """A plant whose gateway seals and uploads several times a second."""
    process = GatewayProcess(
        authority, tmp_path / "gateway", reach=[f"{floor.network}:502"], recording_seal_s=0.3, upload_every_s=0.1
    )
    address = f"http://127.0.0.1:{shelf.server.server_port}"
    pinned = process.state.load_pinned()
    process.state.save_pinned(msgspec.structs.replace(pinned, enrolled_at=address))
    authority.admit(process.gateway)
    await process.start()
    await authority.linked(process.gateway)
    end = End(authority, process.gateway, tmp_path)
    end.assets = [asset_of(device)]
    yield Plant(authority, process, device, end, tmp_path)
    await process.end()


def here(plant: Plant) -> list[str]:
    return sorted(path.name for path in plant.process.state.recordings.rglob("*.chunk"))


async def test_a_recording_waits_for_a_server_that_is_away(bringing: Plant, shelf: Shelf) -> None:
    """With every answer an error nothing is forgotten; then all of it arrives, in order, and the room is free."""
    plant = bringing
    plant.end.permit([plant.asset], recording="strict", recording_recipients=[str(OWNER.to_public())])
    stream = await plant.end.open()
    await stream.say(b"first")
    await eventually(lambda: len(here(plant)) >= 2 and shelf.asked >= 2)
    shelf.word = shelf.kept
    await eventually(lambda: len(shelf.chunks) >= 2, "it comes while the session lives")
    await eventually(lambda: len(here(plant)) == 1, "the newest stays for whoever has to say the end")
    await stream.say(b"second")
    stream.hang_up()
    plant.authority.withdraw(plant.end.session, "cut")
    await eventually(lambda: here(plant) == [], "everything is kept elsewhere")
    verdict = verify(shelf.chunks)
    assert verdict.faults == []
    assert verdict.complete
    finished = await plant.authority.event(plant.gateway, "recording.finished", plant.end.session)
    assert verdict.head.hex() == finished.fields["head"]


async def test_only_the_servers_own_word_lets_a_chunk_be_forgotten(bringing: Plant, shelf: Shelf) -> None:
    plant, words = bringing, iter(range(4))

    def lie(upload: Upload) -> bytes:
        return list(shelf.false_words(upload))[next(words, 3)]

    shelf.word = lie
    for _ in range(4):  # each recording is left alone for a while after a wrong word
        end = plant.another_end()
        end.permit([plant.asset], recording="full", recording_recipients=[str(OWNER.to_public())])
        await plant.authority.event(plant.gateway, "recording.started", end.session)
    await eventually(lambda: plant.process.said.count("upload.refused") >= 4)
    assert here(plant).count("00000001.chunk") == 4


async def test_of_a_long_backlog_one_recording_at_a_time_is_looked_at(
    authority: Authority, tmp_path: Path, shelf: Shelf
) -> None:
    """After a day without the server there are thousands: all of them for each would be millions of looks."""
    gateway = GatewayProcess(authority, tmp_path / "gateway", reach=[])  # not started: its state is what is needed
    pinned = gateway.state.load_pinned()
    gateway.state.save_pinned(
        msgspec.structs.replace(pinned, enrolled_at=f"http://127.0.0.1:{shelf.server.server_port}")
    )
    folder, pins = ChunkFolder(gateway.state.recordings, limit_bytes=1 << 30), Pins(gateway.state)
    folder.open()
    for _ in range(10):
        seal_two_chunks(folder, gateway)
    counts = list[int]()
    uploads = list[Upload]()

    def count(upload: Upload) -> bytes:
        uploads.append(upload)
        if len(uploads) <= 2:  # to look through all that a long run of tests has made takes a second
            counts.append(sum(type(one) is Waiting for one in gc.get_objects()))  # isinstance asks lazy ones
        return shelf.kept(upload)

    shelf.word = count
    postbox = Postbox(lambda: pins.trust, gateway.keys.sealing)
    settings = GatewaySettings(name="test", upload_every_s=0.1, proxy="none")
    uploader = Uploader(settings, folder, gateway.keys.event, pins, postbox, list)
    running = asyncio.ensure_future(uploader.run())
    try:
        await eventually(lambda: folder.used == 0, "everything is kept elsewhere")
    finally:
        running.cancel()
    assert len({(one.recording, one.number) for one in uploads}) == 20  # a slow count makes it say one again
    assert max(counts) < 10  # two, and what threads that end hold a moment longer


def seal_two_chunks(folder: ChunkFolder, gateway: GatewayProcess) -> None:
    recording, session, at = new_id(Kind.RECORDING), new_id(Kind.SESSION), Clocks(1_790_000_000_000_000_000, 1)
    capture = Capture(session, "test")
    about = About(recording, session, new_id(Kind.ORGANISATION), gateway.gateway, bytes(32))
    sealer = Sealer(about, gateway.keys.event)
    for end in ("", "session.ended"):
        sealed = sealer.seal(capture.take(at), at, [str(OWNER.to_public())], end=end)
        sealer.keep(sealed)
        folder.write(recording, sealed.entry.number, sealed.data)
