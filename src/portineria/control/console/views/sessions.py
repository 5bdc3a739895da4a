# SPDX-License-Identifier: Apache-2.0
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from portineria.control.console import (
    event_queries,
    extension_rows,
    functions,
    held,
    plant_rows,
    queries,
    session_export,
    watch_rows,
)
from portineria.control.console.evidence import evidence_command
from portineria.control.console.forms import DecisionForm, ReasonForm
from portineria.control.console.page import LONG, attempt, leaf, page
from portineria.control.console.session_timeline import timeline_of
from portineria.control.console.texts import operations as texts
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import (
    freezing,
    playback,
    recordings,
    retention,
    services,
    session_page,
    watching,
)
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.directory_end_queries import stay_of, with_stays
from portineria.control.remote_sessions.scope import is_recorded

_REFUSED = 20  # the newest; all of them stand in the course


@page
def sessions(request: HttpRequest, actor: Person) -> HttpResponse:
    open_now = with_stays(remote_sessions.with_firm(remote_sessions.open_sessions(actor)))
    inside = leaf(request, open_now, named="inside")
    past = leaf(request, remote_sessions.with_firm(remote_sessions.sessions(actor)).filter(state="ended"))
    inside, past = queries.seen_leaves(actor, inside, past)
    context = {
        "inside": inside,
        "past": past,
        "staff": queries.is_staff(actor),
    }
    return render(request, "console/sessions.html", context)


@page
def export(request: HttpRequest, actor: Person) -> StreamingHttpResponse:
    lines = session_export.lines(actor, get_language() or "en")
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"portineria-sessions-{timezone.localdate():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


@page
def session(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row, there = session_page.session_and_there(actor, public_id)
    seen, streams = queries.Seen(row, actor), remote_sessions.streams(actor, public_id)
    course, connections = (
        leaf(request, rows, LONG, named=name) for rows, name in ((there.course, "course"), (streams, "streams"))
    )
    first = connections.object_list if connections.number == 1 else streams[:1]
    events = event_queries.session_events(actor, row, course.object_list, seen.place.zone)
    refused = there.course.filter(code__in=session_page.REFUSALS)[:_REFUSED] if there.refused else ()
    context = {
        "seen": seen,
        "streams": connections,
        "counted_at": session_page.counted_at(streams, list(first)),
        "course": course,
        "functions": functions.held_in(row),
        "recorded": there.kept and bool(recordings.kept_of(actor, row)),
        "keeping": retention.keeping(actor, row) if there.kept else None,
        "asks_to_look": there.kept and playback.may_ask(actor, row),
        "recording": row.open and is_recorded(row),
        "watchers": [person.name for person in watching.watchers(row)] if there.watched else [],
        "shows_operations": watching.shows_operations(row) and actor.may_watch(row.organisation_id),
        "operation_words": texts.operation_words(),
        "held": held.held_in(actor, row, timezone.now()) if there.held else [],
        "refused": event_queries.session_events(actor, row, refused, seen.place.zone),
        "events": events,
        "timeline": timeline_of(row, connections.object_list, events, newest=course.number == 1),
        "evidence_command": "" if row.open else evidence_command(row),
        "signals": plant_rows.consent_in(actor, row),
        "unwatched": watch_rows.missing_in(row),
        "stay": stay_of(actor, row) if there.stays else None,
        "extensions": extension_rows.of_grant(actor, row.grant) if there.more else [],
    }
    return render(request, "console/session.html", context)


@page
def cut(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = remote_sessions.session(actor, public_id)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(form, lambda: services.cut(actor=actor, session=public_id, **form.cleaned_data)):
        return redirect("console:session", public_id)
    return render(request, "console/cut.html", {"form": form, "seen": queries.Seen(row, actor)})


@page
def freeze(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = remote_sessions.session(actor, public_id)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(form, lambda: freezing.freeze(actor=actor, session=public_id, **form.cleaned_data)):
        return redirect("console:session", public_id)
    return render(request, "console/freeze.html", {"form": form, "seen": queries.Seen(row, actor)})


@page
def thaw(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = remote_sessions.session(actor, public_id)
    form = DecisionForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and attempt(
        form, lambda: freezing.thaw(actor=actor, session=public_id, **form.cleaned_data)
    ):  # fmt: skip
        return redirect("console:session", public_id)
    return render(request, "console/thaw.html", {"form": form, "seen": queries.Seen(row, actor)})


@page
def end(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = remote_sessions.session(actor, public_id)
    form = DecisionForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and attempt(
        form, lambda: services.drain(actor=actor, session=public_id, **form.cleaned_data)
    ):  # fmt: skip
        messages.success(request, _("Nothing new can start. What runs may still finish."))
        return redirect("console:session", public_id)
    return render(request, "console/end.html", {"form": form, "seen": queries.Seen(row, actor)})
