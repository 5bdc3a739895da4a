# SPDX-License-Identifier: Apache-2.0
"""A recording as a page opens it: the server hands out chunks that it cannot read, the browser has the identity."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from portineria.control.console import queries
from portineria.control.console.page import page
from portineria.control.console.texts import operations as texts
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions import recordings
from portineria.control.remote_sessions.recordings import NoRecordings


@page
def playback(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = remote_sessions.session(actor, public_id)
    kept = recordings.kept_of(actor, row)
    if not kept:
        raise NoRecordings(f"nothing of session {public_id} is recorded here for {actor.public_id}")
    context = {"seen": queries.Seen(row, actor), "recordings": kept, "operation_words": texts.operation_words()}
    return render(request, "console/playback.html", context)


@page
def chunk(request: HttpRequest, actor: Person, public_id: str, recording: str, number: int) -> HttpResponse:
    data = recordings.chunk(actor=actor, session=public_id, recording=recording, number=number)
    response = HttpResponse(data, content_type="application/octet-stream")
    response["Cache-Control"] = "no-store"
    return response
