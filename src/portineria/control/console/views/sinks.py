# SPDX-License-Identifier: Apache-2.0
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portineria.control.console import sink_rows
from portineria.control.console.page import attempt, page
from portineria.control.console.sink_forms import ChangeForm, ReplayForm, SinkForm
from portineria.control.console.texts.sinks import PERSONAL, SEVERITIES
from portineria.control.identity import queries as identity
from portineria.control.identity.authority import administers, permitted, require
from portineria.control.identity.delegation_models import Power
from portineria.control.identity.models import Organisation, Person
from portineria.control.problem import problem_of
from portineria.control.settings.start import current
from portineria.control.sinks import changing, queries, services, trial
from portineria.control.sinks.models import Sink
from portineria.core.errors import Denied, NotFound, Unavailable
from portineria.sinks.catalogue import ALL, kind_of
from portineria.sinks.kind import SinkKind


def _administered(actor: Person) -> list[Organisation]:
    rows = identity.organisations(actor)
    return [row for row in rows if permitted(actor, row.pk, administers, Power.SINK)]


def _require_some(actor: Person) -> None:
    """For everybody else these pages do not exist."""
    if not actor.staff_of and not actor.acts_by(Power.SINK):
        raise NotFound(f"sinks, for {actor.public_id}")


@page
def sinks(request: HttpRequest, actor: Person) -> HttpResponse:
    """Of the organisations whose staff the actor is. For everybody else the page does not exist."""
    _require_some(actor)
    context = {
        "rows": sink_rows.rows(actor), "administers": bool(_administered(actor)), "several": len(actor.staff_of) > 1,
    }  # fmt: skip
    return render(request, "console/sinks.html", context)


@page
def add(request: HttpRequest, actor: Person) -> HttpResponse:
    """First which kind, then its settings."""
    _require_some(actor)
    organisations = _administered(actor)
    if not organisations:
        raise Denied("administers no organisation")
    kind = kind_of(request.GET.get("kind", ""))
    if kind is None:
        return render(request, "console/sink_kinds.html", {"kinds": ALL})
    return _add(request, actor, kind, organisations)


def _add(request: HttpRequest, actor: Person, kind: SinkKind, organisations: list[Organisation]) -> HttpResponse:
    form, made = SinkForm(request.POST or None, kind=kind, organisations=organisations), list[Sink]()

    def act() -> None:
        made.append(
            services.add_sink(
                actor=actor, organisation=form.cleaned_data["organisation"], name=form.cleaned_data["name"],
                kind=kind.name, settings=form.settings(), wanted=form.wanted(),
                from_now=form.cleaned_data["begin"] == "now",
            )
        )  # fmt: skip

    if form.is_valid() and attempt(form, act):
        messages.success(request, _("Added. Send a test event to see whether it arrives."))
        return redirect("console:sink", made[0].public_id)
    return render(request, "console/sink_add.html", {"form": form, "kind": kind, "several": len(organisations) > 1})


@page
def sink(request: HttpRequest, actor: Person, sink: str) -> HttpResponse:
    shown = sink_rows.row(actor, sink)
    context: dict[str, Any] = {
        "row": shown, "sink": shown.sink, "settings": sink_rows.settings_shown(shown),
        "since": sink_rows.waiting_since(actor, shown), "dead": queries.dead_letters(actor, sink),
        "personal": PERSONAL[shown.sink.personal], "severity": SEVERITIES[shown.sink.severity],
    }  # fmt: skip
    return render(request, "console/sink.html", context)


@page
def change(request: HttpRequest, actor: Person, sink: str) -> HttpResponse:
    row = _changeable(actor, sink)
    kind = kind_of(row.kind)
    if kind is None:  # a newer version made it
        raise NotFound(f"sink {sink} of kind {row.kind!r}")
    form = ChangeForm(request.POST or None, sink=row, kind=kind)
    if form.is_valid() and attempt(
        form,
        lambda: changing.change_sink(
            actor=actor, sink=sink, name=form.cleaned_data["name"], settings=form.settings(), wanted=form.wanted()
        ),
    ):
        messages.success(request, _("Changed. What was brought stays brought; it goes on from there."))
        return redirect("console:sink", sink)
    return render(request, "console/sink_change.html", {"form": form, "kind": kind, "sink": row})


def _changeable(actor: Person, public_id: str) -> Sink:
    row = queries.sink(actor, public_id)
    require(actor, row.organisation_id, administers, Power.SINK)
    return row


@page
def test(request: HttpRequest, actor: Person, sink: str) -> HttpResponse:
    _changeable(actor, sink)
    if request.method != "POST":
        return redirect("console:sink", sink)
    try:
        trial.send_test_event(actor=actor, sink=sink, source=current().host)
    except Unavailable as error:
        messages.error(request, problem_of(error).detail)
    else:
        messages.success(request, _("The test event was sent, and the receiver took it."))
    return redirect("console:sink", sink)


@page
def pause(request: HttpRequest, actor: Person, sink: str) -> HttpResponse:
    row = _changeable(actor, sink)
    if request.method == "POST":
        (services.resume if row.paused else services.pause)(actor=actor, sink=sink)
    return redirect("console:sink", sink)


@page
def again(request: HttpRequest, actor: Person, sink: str) -> HttpResponse:
    _changeable(actor, sink)
    if request.method == "POST":
        services.forget_dead_letters(actor=actor, sink=sink)
        messages.success(request, _("They are sent once more, with what follows them."))
    return redirect("console:sink", sink)


@page
def replay(request: HttpRequest, actor: Person, sink: str) -> HttpResponse:
    row, form = _changeable(actor, sink), ReplayForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: services.replay(actor=actor, sink=sink, day=form.cleaned_data["day"], zone=actor.time_zone)
    ):
        messages.success(request, _("Events from this day on are sent once more."))
        return redirect("console:sink", sink)
    return render(request, "console/sink_replay.html", {"form": form, "sink": row})


@page
def remove(request: HttpRequest, actor: Person, sink: str) -> HttpResponse:
    row = _changeable(actor, sink)
    if request.method == "POST":
        services.remove(actor=actor, sink=sink)
        messages.success(request, _("Removed. Nothing is sent there any more."))
        return redirect("console:sinks")
    return render(request, "console/sink_remove.html", {"sink": row})
