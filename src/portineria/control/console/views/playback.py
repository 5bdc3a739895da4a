# SPDX-License-Identifier: Apache-2.0
"""A recording as a page opens it: the server hands out chunks that it cannot read, the browser has the identity."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portineria.control.console import queries
from portineria.control.console.forms import DecisionForm, ReasonForm
from portineria.control.console.page import attempt, page
from portineria.control.console.privacy_forms import AnswerForm, PlaybackForm
from portineria.control.console.texts import operations as texts
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import playback as looking
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions import recordings, retention
from portineria.control.remote_sessions.recordings import NoRecordings
from portineria.core.errors import NotFound


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


@page
def ask(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = remote_sessions.session(actor, public_id)
    if not looking.may_ask(actor, row):
        raise NotFound(f"recordings of {public_id}, for {actor.public_id}")
    form = PlaybackForm(request.POST or None)
    if form.is_valid() and attempt(form, lambda: looking.ask(actor=actor, session=public_id, **form.cleaned_data)):
        messages.success(request, _("Asked. As soon as a guardian says yes you look through it here."))
        return redirect("console:session", public_id)
    return render(request, "console/playback_ask.html", {"form": form, "seen": queries.Seen(row, actor)})


@page
def decide(request: HttpRequest, actor: Person, playback: str) -> HttpResponse:
    row, form = looking.playback(actor, playback), AnswerForm(request.POST or None)

    def act() -> None:
        if form.cleaned_data["answer"] == "end":
            looking.end(actor=actor, playback=playback)
        else:
            looking.decide(actor=actor, playback=playback, allowed=form.cleaned_data["answer"] == "yes")

    if form.is_valid() and attempt(form, act):
        messages.success(request, _("Entered in the register."))
        return redirect("console:privacy")
    concerned = actor.pk in (row.asked_by_id, row.recorded_id)
    return render(request, "console/playback_decide.html", {"form": form, "row": row, "concerned": concerned})


@page
def hold(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = remote_sessions.session(actor, public_id)
    keeping = retention.keeping(actor, row)
    if keeping is None or not keeping.may_hold:
        raise NotFound(f"recordings of {public_id}, for {actor.public_id}")
    form = DecisionForm(request.POST or None) if keeping.hold else ReasonForm(request.POST or None)

    def act() -> None:
        if keeping.hold:
            retention.lift_hold(actor=actor, session=public_id)
        else:
            retention.hold(actor=actor, session=public_id, reason=form.cleaned_data["reason"])

    if request.method == "POST" and form.is_valid() and attempt(form, act):
        return redirect("console:session", public_id)
    context = {"form": form, "seen": queries.Seen(row, actor), "keeping": keeping}
    return render(request, "console/recording_hold.html", context)
