# SPDX-License-Identifier: Apache-2.0
"""Recordings on the server: whose are taken, how they are kept, who may read them, and for whom they are encrypted."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from asgiref.sync import async_to_sync

from portineria.control.audit.models import Event
from portineria.control.estate.services import change_machine
from portineria.control.identity.authority import Operator
from portineria.control.identity.connector import base64url
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.services import BadField
from portineria.control.recording_store import DirectoryStore, NoChunk, RecordingStore, StoreAway, read_s3, s3_store
from portineria.control.remote_sessions import recordings
from portineria.control.remote_sessions.models import Recording, RecordingRecipient, Session
from portineria.control.remote_sessions.recording_keys import own_identities, recipients_for, set_recipients
from portineria.core.errors import NotFound
from portineria.process.settings import BadSettings
from portineria.recording.chunk import open_chunk, parse_identities
from portineria.recording.seal import About
from portineria.recording.upload import Upload, sign_upload
from portineria.recording.verification import verify
from portineria.wire.envelope import read_signed
from portineria.wire.statement import Order, sha256
from tests.integration.control.browsing import signed_in
from tests.integration.control.looking import may_look
from tests.integration.control.sessions import said_to, started
from tests.integration.control.world import GatewayEnd, World, fresh
from tests.integration.middlebox import free_port
from tests.unit.recording.recorded import ABOUT, conversation
from tests.unit.recording.recorded import Recording as Made

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _linked(world: World) -> None:
    world.link()


def recorded(world: World, session: Session, **other: object) -> Made:
    about = About(
        str(other.pop("recording", ABOUT.recording)), session.public_id, world.organisation, world.gateway.id, bytes(32)
    )
    return conversation(about=about, key=world.gateway.event, **other)


def upload(gateway: GatewayEnd, number: int, data: bytes, recording: str = ABOUT.recording) -> Upload:
    return Upload(gateway.id, recording, number, len(data), sha256(data))


def brought(world: World, made: Made, *numbers: int) -> list[bytes]:
    found = []
    for number in numbers or range(1, len(made.chunks) + 1):
        data = made.chunks[number - 1]
        found.append(recordings.keep(upload(world.gateway, number, data, made.about.recording), data))
    return found


def codes(code: str) -> int:
    return Event.objects.filter(code=code).count()


def content(archive: recordings.Archive) -> bytes:
    async def collect() -> bytes:
        return b"".join([piece async for piece in archive.content()])

    return async_to_sync(collect)()


def test_what_a_gateway_brings_is_kept_and_read_back(world: World) -> None:
    session = started(world)
    made = recorded(world, session)
    words = brought(world, made)
    assert [read_signed(word).type for word in words] == ["portineria.recording-kept"] * 4
    row = Recording.objects.get()
    assert (row.chunks, row.end, bytes(row.head)) == (4, "session.ended", made.sealer.head)
    assert (row.to_device, row.from_device, row.lost) == (60, 65, 0)
    assert codes("remote_sessions.recording.completed") == 1
    may_look(world, world.owner, session)
    archive = recordings.read(actor=world.owner, session=session.public_id)
    data = content(archive)
    assert len(data) == archive.size
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
        chunks = [tar.extractfile(name).read() for name in names]  # type: ignore[union-attr]
    assert names == sorted(f"{session.public_id}/{row.public_id}/{n:08}.chunk" for n in range(1, 5))
    assert chunks == made.chunks
    assert verify(chunks, key=bytes(row.key)).fits
    assert codes("remote_sessions.recording.read") == 1


def test_a_chunk_counts_once_and_only_in_its_place(world: World) -> None:
    session = started(world)
    made, other = recorded(world, session), recorded(world, session)
    brought(world, made, 1, 2)
    assert brought(world, made, 1, 2)
    assert Recording.objects.get().chunks == 2
    with pytest.raises(recordings.RecordingForked):
        brought(world, other, 2)
    with pytest.raises(recordings.RecordingGap):
        brought(world, made, 4)
    with pytest.raises(recordings.RecordingGap):
        brought(world, other, 3)
    with pytest.raises(recordings.RecordingGap):
        recordings.keep(upload(world.gateway, 3, made.chunks[2]), made.chunks[2] + b"x")
    brought(world, made, 3, 4)
    assert Recording.objects.get().end


def test_a_gateway_brings_recordings_of_its_own_sessions_only(world: World) -> None:
    session = started(world)
    stranger = recorded(world, session, recording="rec_bbbbbbbbbbbbbbbb")
    foreign = conversation(about=stranger.about)  # signed by another key than this gateway's
    with pytest.raises(NotFound):
        recordings.keep(upload(world.gateway, 1, foreign.chunks[0], "rec_bbbbbbbbbbbbbbbb"), foreign.chunks[0])
    unknown = conversation(
        about=About("rec_bbbbbbbbbbbbbbbb", "ses_bbbbbbbbbbbbbbbb", world.organisation, world.gateway.id, bytes(32)),
        key=world.gateway.event,
    )
    with pytest.raises(NotFound):
        brought(world, unknown, 1)
    assert not Recording.objects.exists()


def test_only_what_an_admitted_gateway_signed_is_taken_in(world: World) -> None:
    said = upload(world.gateway, 1, b"chunk")
    assert recordings.announced(base64url(sign_upload(said, world.gateway.event))) == said
    other = GatewayEnd()
    for header in ("", "nonsense", "AAAA", base64url(sign_upload(said, other.event))):
        with pytest.raises(NotFound):
            recordings.announced(header)


def test_who_is_not_of_the_owner_reads_no_recording(world: World) -> None:
    """Not even the technician whose session it is; and it is answered like one that does not exist."""
    session = started(world)
    brought(world, recorded(world, session))
    for actor in (world.technician, world.rival, world.stranger):
        with pytest.raises(NotFound):
            recordings.read(actor=fresh(actor), session=session.public_id)
        with pytest.raises(NotFound):
            chunk(world, actor, session)
        address = f"/sessions/{session.public_id}/playback/"
        for path in (address, f"{address}{ABOUT.recording}/1/"):
            assert signed_in(fresh(actor)).get(path).status_code == 404
    assert codes("remote_sessions.recording.read") == 0
    may_look(world, world.operator, session)
    recordings.read(actor=fresh(world.operator), session=session.public_id)


def chunk(world: World, actor: Person, session: Session, number: int = 1) -> bytes:
    return recordings.chunk(actor=fresh(actor), session=session.public_id, recording=ABOUT.recording, number=number)


def test_a_page_gets_chunks_as_they_are_and_reading_is_one_event_for_each_person(world: World) -> None:
    session = started(world)
    made = recorded(world, session)
    brought(world, made)
    for who in (world.owner, world.operator):
        may_look(world, who, session)
    assert [chunk(world, world.owner, session, number) for number in range(1, 5)] == made.chunks
    assert codes("remote_sessions.recording.read") == 1
    chunk(world, world.operator, session)
    assert codes("remote_sessions.recording.read") == 2
    with pytest.raises(NotFound):
        chunk(world, world.owner, session, 5)
    with pytest.raises(NotFound):
        chunk(world, world.owner, started(world))


def ordered(world: World, session: Session) -> Order:
    [order] = said_to(world, session)
    assert isinstance(order, Order)
    return order


def owner_of(world: World) -> Organisation:
    return Organisation.objects.get(public_id=world.organisation)


def record_machine(world: World, mode: str) -> None:
    change_machine(actor=world.owner, machine=world.machine.public_id, recording=mode)


def test_orders_name_a_key_of_ours_unless_an_auditors_was_set(world: World) -> None:
    assert (ordered(world, started(world)).recording, RecordingRecipient.objects.count()) == ("none", 0)
    record_machine(world, "strict")
    order = ordered(world, started(world))
    assert order.recording == "strict"
    [own] = order.recording_recipients
    made = recorded(world, started(world), recipients=[own])
    identities = parse_identities(own_identities(actor=Operator(), organisation=owner_of(world)))
    assert verify(made.chunks, opener=lambda chunk: open_chunk(chunk, identities)).opened == 4
    assert codes("remote_sessions.identity.given-out") == 1
    auditor = str(pyrage.x25519.Identity.generate().to_public())
    set_recipients(actor=Operator(), organisation=owner_of(world), recipients=[auditor])
    assert ordered(world, started(world)).recording_recipients == [auditor]
    set_recipients(actor=Operator(), organisation=owner_of(world), recipients=[])
    assert recipients_for(owner_of(world)) == [own]
    assert codes("remote_sessions.recipients.changed") == 3


def test_a_machine_is_recorded_in_one_of_three_ways(world: World) -> None:
    with pytest.raises(BadField):
        record_machine(world, "sometimes")
    record_machine(world, "full")
    assert ordered(world, started(world)).recording == "full"


def test_the_key_is_wrapped_in_the_database(world: World) -> None:
    recipients_for(owner_of(world))
    row = RecordingRecipient.objects.get()
    assert bytes(row.wrapped)
    assert b"AGE-SECRET-KEY" not in bytes(row.wrapped)
    assert isinstance(world.owner, Person)


# -- where chunks lie -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """Moto's S3 server in a process of its own."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/moto-api/", timeout=2).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "moto does not answer"
                assert server.poll() is None
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(params=["folder", "s3"])
def chunks(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordingStore:
    if request.param == "folder":
        return DirectoryStore(tmp_path / "recordings")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    endpoint = request.getfixturevalue("s3_server")
    made = s3_store(f"s3://plant/some/prefix?endpoint={endpoint}")
    made._client.make_bucket("plant")
    return made


def test_a_store_gives_back_what_it_was_given(chunks: RecordingStore) -> None:
    name = "org_a/ses_a/rec_a/00000001.chunk"
    data = os.urandom(3 << 20)
    for _ in range(2):  # once more changes nothing
        chunks.put(name, data)
    chunks.put("org_a/ses_a/rec_a/00000002.chunk", b"second")
    assert chunks.get(name) == data
    chunks.delete(name)
    chunks.delete(name)
    with pytest.raises(NoChunk):
        chunks.get(name)
    assert chunks.get("org_a/ses_a/rec_a/00000002.chunk") == b"second"
    for odd in ("../../etc/passwd.chunk", "/etc/x.chunk", "a//b.chunk", "org_a/x", ""):
        with pytest.raises(NoChunk):
            chunks.get(odd)


def test_a_store_that_is_away_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (tmp_path / "file").write_text("no folder")
    for away in (DirectoryStore(tmp_path / "file"), s3_store(f"s3://plant?endpoint=http://127.0.0.1:{free_port()}")):
        with pytest.raises(StoreAway):
            away.put("org_a/00000001.chunk", b"data")


@pytest.mark.parametrize("text", ["s3://bucket", "s3://?endpoint=https://a", "ftp://x", "s3://b/p?endpoint=a"])
def test_settings_that_name_no_store_are_refused(text: str) -> None:
    with pytest.raises(BadSettings):
        read_s3(text)
