# SPDX-License-Identifier: Apache-2.0
"""Recordings as gateways bring them: chunk by chunk, in order, each verified before it is kept; and reading them."""

import base64
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from django.utils import timezone

from portineria.control.audit.services import record
from portineria.control.estate.models import Gateway
from portineria.control.estate.signers import signer_for
from portineria.control.identity import keys
from portineria.control.identity.models import Person
from portineria.control.recording_store import store
from portineria.control.remote_sessions import queries
from portineria.control.remote_sessions.models import Recording, RecordingChunk, RecordingReading, Session
from portineria.control.remote_sessions.playback import may_look, require_playback
from portineria.core.errors import Conflict, NotFound, PortineriaError
from portineria.core.ids import Kind, is_id
from portineria.recording.chunk import Chunk, read_chunk
from portineria.recording.upload import HEADER_CHARACTERS, Upload, claimed_gateway, open_upload
from portineria.wire.statement import RecordingKept, sha256


class RecordingForked(Conflict):
    """Two different chunks with one number: kept is the first."""

    code = "recording.forked"


class RecordingGap(Conflict):
    """It does not follow what is kept."""

    code = "recording.gap"


class NoRecordings(NotFound):
    code = "recording.none"


# -- from gateways ----------------------------------------------------------------------------------------------


def announced(header: str) -> Upload:
    """What an admitted gateway signed that it sends. Raise NotFound for everything else."""
    try:
        data = base64.urlsafe_b64decode(header[:HEADER_CHARACTERS] + "=" * (-len(header) % 4))
        gateway = Gateway.objects.filter(public_id=claimed_gateway(data)).first()
        if gateway is not None and gateway.admitted:
            upload = open_upload(data, Ed25519PublicKey.from_public_bytes(bytes(gateway.event_key)))
            if upload.gateway == gateway.public_id and is_id(upload.recording, Kind.RECORDING):
                return upload
    except (PortineriaError, ValueError) as error:  # binascii.Error is a ValueError
        raise NotFound(f"no upload of a gateway of ours: {error}") from error
    raise NotFound("no upload of a gateway of ours")


def keep(upload: Upload, data: bytes) -> bytes:
    """The signed word that this chunk is kept; saying it again changes nothing.

    Raise NotFound for what is not a session of this gateway, ProtocolError, RecordingForked, RecordingGap, StoreAway.
    """
    if len(data) != upload.size or sha256(data) != upload.sha256:
        raise RecordingGap("other bytes came than were announced")
    chunk = read_chunk(data)
    gateway, session = _session_of(upload, chunk)
    if not _is_next(upload, chunk, session):
        store().put(_name(session, upload), data)  # before the row: what is said to be kept is kept
        _enter(upload, chunk, session)
    kept = RecordingKept(upload.gateway, upload.recording, upload.number, upload.sha256)
    return keys.signed(kept, signer_for(gateway, "acknowledgement"))


def _session_of(upload: Upload, chunk: Chunk) -> tuple[Gateway, Session]:
    entry = chunk.entry
    gateway = Gateway.objects.get(public_id=upload.gateway)
    about = (entry.gateway, entry.recording, entry.number, entry.key)
    if about != (upload.gateway, upload.recording, upload.number, bytes(gateway.event_key)):
        raise NotFound("the chunk is not the one that was announced")
    rows = Session.objects.select_related("organisation", "gateway").filter(gateway=gateway)
    session = rows.filter(public_id=entry.session).first() if is_id(entry.session, Kind.SESSION) else None
    if session is None or session.organisation.public_id != entry.organisation:
        raise NotFound(f"session {entry.session}")
    return gateway, session


def _is_next(upload: Upload, chunk: Chunk, session: Session) -> bool:
    """True when it is here already; raise RecordingForked or RecordingGap unless it is the next one."""
    recording = Recording.objects.filter(public_id=upload.recording).first()
    if recording is not None and recording.session_id != session.pk:
        raise NotFound(f"recording {upload.recording}")
    known = recording.parts.filter(number=upload.number).first() if recording is not None else None
    if known is not None:
        if bytes(known.sha256) != upload.sha256:
            raise RecordingForked(f"{upload.recording} has another chunk {upload.number} already")
        return True
    chunks, head = (recording.chunks, bytes(recording.head)) if recording is not None else (0, bytes(32))
    if upload.number != chunks + 1 or chunk.entry.previous != head or (recording is not None and recording.end):
        raise RecordingGap(f"{upload.recording} has {chunks} chunks here; {upload.number} does not follow")
    return False


def _name(session: Session, upload: Upload) -> str:
    return f"{session.organisation.public_id}/{session.public_id}/{upload.recording}/{upload.number:08}.chunk"


@transaction.atomic
def _enter(upload: Upload, chunk: Chunk, session: Session) -> None:
    entry = chunk.entry
    if upload.number == 1:
        Recording.objects.get_or_create(public_id=upload.recording, defaults={"session": session, "key": entry.key})
    row = Recording.objects.select_for_update(no_key=True).get(public_id=upload.recording)
    if _is_next(upload, chunk, session):
        return
    RecordingChunk.objects.create(recording=row, number=upload.number, sha256=upload.sha256, size=upload.size)
    row.expired_at = row.deleted_at = None  # what comes late is deleted too, and that is an event of its own
    row.chunks, row.head, row.size = upload.number, chunk.head, row.size + upload.size
    row.to_device, row.from_device, row.lost = entry.totals
    if entry.end:
        row.end, row.ended_at = entry.end, timezone.now()
        record(
            "remote_sessions.recording.completed",
            organisation=session.organisation.public_id,
            actor=upload.gateway,
            session=session.public_id,
            gateway=upload.gateway,
            recording=row.public_id,
            number=row.chunks,
            head=chunk.head.hex(),
            lost=row.lost,
        )
    row.save()


# -- for people -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Archive:
    """A tar file that is made while it is read."""

    name: str
    size: int
    members: list[tuple[str, int, str]]  # its name there, bytes, name in the store

    async def content(self) -> AsyncIterator[bytes]:
        """Raises StoreAway or NoChunk in the middle when the store fails: the file then ends short."""
        chunks = store()
        for name, size, place in self.members:
            info = tarfile.TarInfo(name)
            info.size = size
            yield info.tobuf(tarfile.USTAR_FORMAT)
            yield await sync_to_async(chunks.get)(place)
            yield bytes(-size % tarfile.BLOCKSIZE)
        yield bytes(2 * tarfile.BLOCKSIZE)


def _record_reading(actor: Person, session: Session, **recording: str) -> None:
    record(
        "remote_sessions.recording.read",
        organisation=session.organisation.public_id,
        actor=actor.public_id,
        about=session.person.public_id,
        session=session.public_id,
        machine=session.machine.public_id,
        gateway=session.gateway.public_id,
        person=session.person.public_id,
        **recording,
    )


def kept_of(actor: Person, session: Session) -> list[Recording]:
    """Those of the session that this person may look through now, the first first; empty for everybody else."""
    if session.organisation_id not in actor.staff_of or not may_look(actor, session, timezone.now()):
        return []
    return list(session.recordings.filter(chunks__gte=1, expired_at__isnull=True).order_by("pk"))


def chunk(*, actor: Person, session: str, recording: str, number: int) -> bytes:
    """One chunk's file, for a page that opens it in the browser. That a recording is read is an event before the first
    of its chunks is. Raise NotFound, StoreAway.
    """
    with transaction.atomic():
        row = queries.session(actor, session)
        require_playback(actor, row)
        kept = row.recordings.select_for_update(no_key=True).filter(public_id=recording, expired_at=None).first()
        if kept is None or not kept.parts.filter(number=number).exists():
            raise NotFound(f"chunk {number} of {recording}")
        if RecordingReading.objects.get_or_create(recording=kept, person=actor)[1]:
            _record_reading(actor, row, recording=recording)
    return store().get(f"{row.organisation.public_id}/{session}/{recording}/{number:08}.chunk")


@transaction.atomic
def read(*, actor: Person, session: str) -> Archive:
    """By a reader to whom a guardian said yes; that it was read is an event before it is.

    Raise NotFound, NoRecordings.
    """
    row = queries.session(actor, session)
    require_playback(actor, row)
    members = []
    for recording in row.recordings.filter(expired_at__isnull=True).order_by("pk"):
        for part in recording.parts.order_by("number"):
            place = f"{session}/{recording.public_id}/{part.number:08}.chunk"
            members.append((place, part.size, f"{row.organisation.public_id}/{place}"))
    if not members:
        raise NoRecordings(f"nothing of session {session} is recorded here")
    _record_reading(actor, row)
    blocks = sum(tarfile.BLOCKSIZE + size + -size % tarfile.BLOCKSIZE for _, size, _ in members)
    return Archive(f"{session}.tar", blocks + 2 * tarfile.BLOCKSIZE, members)
