# SPDX-License-Identifier: Apache-2.0
"""Recordings: gateways bring them (each request proves itself), the owner's people read them."""

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router, Schema

from portineria.control.identity.api import ERRORS, connector, person_of
from portineria.control.identity.connector import base64url
from portineria.control.remote_sessions import recordings
from portineria.recording.chunk import CHUNK_BYTES
from portineria.recording.upload import HEADER

router = Router(tags=["recordings"])


class Kept(Schema):
    kept: str


@router.post("/gateways/recordings", auth=None, response={200: Kept, **ERRORS})
def keep(request: HttpRequest) -> Kept:
    """The body is the chunk's file (application/octet-stream); the header says what it is, signed."""
    upload = recordings.announced(request.headers.get(HEADER, ""))
    return Kept(kept=base64url(recordings.keep(upload, request.read(CHUNK_BYTES + 1))))


@router.get("/sessions/{session}/recording", auth=connector, response={200: None, **ERRORS})
def read(request: HttpRequest, session: str) -> StreamingHttpResponse:
    """Everything recorded of a session, as a tar file of chunks for `portineria recording verify`."""
    archive = recordings.read(actor=person_of(request), session=session)
    response = StreamingHttpResponse(archive.content(), content_type="application/x-tar")
    response["Content-Length"] = str(archive.size)
    response["Content-Disposition"] = f'attachment; filename="{archive.name}"'
    response["Cache-Control"] = "no-store"
    return response
