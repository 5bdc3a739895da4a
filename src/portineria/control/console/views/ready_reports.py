# SPDX-License-Identifier: Apache-2.0
"""Lists that an authority asks for. Whoever reads the register reads them; reading and taking are events."""

from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.http import require_POST

from portineria.control.console import access_list, reachable_list, ready_report
from portineria.control.console.page import page
from portineria.control.console.ready_report import MOST, SHOWN, ReadyReport
from portineria.control.console.ready_report_forms import AccessListForm, ListForm
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.reading import note_report_read
from portineria.core.errors import Invalid, NotFound

F = TypeVar("F", bound=ListForm)


class NoSuchList(Invalid):
    """The days or the organisation that stand in the address make no sense."""


def _read_by(actor: Person) -> list[Organisation]:
    """Raise NotFound for whoever reads no register."""
    found = [row for row in identity.organisations(actor) if row.public_id in actor.event_organisations]
    if not found:
        raise NotFound(f"ready reports, for {actor.public_id}")
    return found


def _known_whole(actor: Person) -> list[Organisation]:
    """Where somebody sees every rule and every machine: a list that leaves out what its reader may not see says a false
    thing to an authority. Raise NotFound.
    """
    found = [row for row in _read_by(actor) if row.pk in actor.staff_of]
    if not found:
        raise NotFound(f"what can be reached, for {actor.public_id}")
    return found


def _form(kind: type[F], request: HttpRequest, organisations: list[Organisation]) -> F:
    """What stands in the address. Raise NoSuchList."""
    form = kind(request.GET, organisations=organisations)
    if not form.is_valid():
        raise NoSuchList(f"{', '.join(form.errors)} of a ready report")
    return form


@page
def lists(request: HttpRequest, actor: Person) -> HttpResponse:
    reachable = any(row.pk in actor.staff_of for row in _read_by(actor))
    return render(request, "console/lists.html", {"reachable": reachable})


def _accesses(request: HttpRequest, actor: Person, most: int) -> tuple[AccessListForm, ReadyReport]:
    form = _form(AccessListForm, request, _read_by(actor))
    since, before = form.span(actor)
    note_report_read(
        actor=actor, organisation=form.chosen.public_id, report=access_list.NAME,
        from_day=since.date().isoformat(), until_day=before.date().isoformat(),
    )  # fmt: skip
    everybody = form.cleaned_data["who"] == "everybody"
    asked = request.GET.urlencode()
    return form, access_list.access_list(
        actor, form.chosen, since=since, before=before, everybody=everybody, asked=asked, most=most
    )


def _reachable(request: HttpRequest, actor: Person, most: int) -> tuple[ListForm, ReadyReport]:
    form = _form(ListForm, request, _known_whole(actor))
    note_report_read(actor=actor, organisation=form.chosen.public_id, report=reachable_list.NAME)
    return form, reachable_list.reachable_list(actor, form.chosen, most=most)


def _shown(request: HttpRequest, form: ListForm, report: ReadyReport, take: str) -> HttpResponse:
    context = {
        "form": form, "report": report, "sections": report.sections(), "take": take, "languages": settings.LANGUAGES,
        "language": translation.get_language(), "several": len(form.organisations) > 1,
    }  # fmt: skip
    return render(request, "console/list.html", context)


@page
def accesses(request: HttpRequest, actor: Person) -> HttpResponse:
    form, report = _accesses(request, actor, SHOWN)
    return _shown(request, form, report, "console:list-accesses-take")


@page
def reachable(request: HttpRequest, actor: Person) -> HttpResponse:
    form, report = _reachable(request, actor, SHOWN)
    return _shown(request, form, report, "console:list-reachable-take")


@require_POST
@page
def take_accesses(request: HttpRequest, actor: Person) -> HttpResponse:
    with translation.override(_language(request)):
        return _taken(request, actor, _accesses(request, actor, MOST + 1)[1])


@require_POST
@page
def take_reachable(request: HttpRequest, actor: Person) -> HttpResponse:
    with translation.override(_language(request)):
        return _taken(request, actor, _reachable(request, actor, MOST + 1)[1])


def _language(request: HttpRequest) -> str:
    """Whoever reads it elsewhere may read another language than whoever takes it."""
    language = request.POST.get("language") or translation.get_language() or "en"
    if language not in dict(settings.LANGUAGES):
        raise NotFound(f"a list in {language[:20]!r}")
    return language


def _taken(request: HttpRequest, actor: Person, report: ReadyReport) -> HttpResponse:
    """The PDF alone, or one signed file with table, PDF and proofs."""
    if request.POST.get("format") == "pdf":
        name, content, kind = *ready_report.on_paper(report), "application/pdf"
    else:
        name, content, kind = *ready_report.taken_out(actor, report), "application/zip"
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response
