# SPDX-License-Identifier: Apache-2.0
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from portineria.control.audit import queries as audit
from portineria.control.console import event_extract, event_names, event_proof, event_queries, event_search
from portineria.control.console.event_forms import EventFilter
from portineria.control.console.page import page
from portineria.control.console.sealing_state import sealing_states
from portineria.control.estate.introduction import root_fingerprint
from portineria.control.identity import queries as identity
from portineria.control.identity import register, saved_searches
from portineria.control.identity.models import Person
from portineria.control.identity.reading import note_event_read
from portineria.sinks.extract import FORMATS
from portineria.wire.certificate import fingerprint


@page
def events(request: HttpRequest, actor: Person) -> HttpResponse:
    form = EventFilter(request.GET, actor=actor)
    found = event_search.search(actor, form, request.GET)
    context = {
        "form": form,
        "found": found,
        "events": event_queries.event_rows(actor, audit.views(found.leaf.events)),
        "filtered": form.narrows,
        "seals": sealing_states(actor),
        "formats": FORMATS,
        "saved": saved_searches.searches(actor),
        "registers": [row for row in identity.organisations(actor) if row.public_id in actor.event_organisations],
    }
    return render(request, "console/events.html", context)


@require_POST
@page
def extract(request: HttpRequest, actor: Person) -> HttpResponse:
    """The search stands in the address, as on the page."""
    form = EventFilter(request.GET, actor=actor)
    given = request.POST
    taken = event_extract.take_out(
        actor=actor, form=form, organisation=given.get("organisation", ""), kind=given.get("format", ""),
        asked=request.GET.urlencode(),
    )  # fmt: skip
    response = HttpResponse(taken.content, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{taken.name}"'
    response["Cache-Control"] = "no-store"
    return response


@page
def names(request: HttpRequest, actor: Person) -> HttpResponse:
    """What fits so far, for whoever is typing a name."""
    kind = request.GET.get("kind", "")
    typed = request.GET.get(kind, "").strip()[:100]
    found = event_names.offered(actor, kind, typed) if typed and kind in event_names.KINDS else []
    return render(request, "console/parts/names.html", {"names": found})


@page
def event(request: HttpRequest, actor: Person, organisation: str, seq: int) -> HttpResponse:
    row = audit.event(actor, organisation, seq)
    note_event_read(actor=actor, organisation=organisation, seq=seq)
    [shown], proven = event_queries.event_rows(actor, audit.views([row])), event_proof.shown(actor, row)
    root = fingerprint(proven.root_sha256) if proven else root_fingerprint()
    context = {
        "event": row, "row": shown, "proof": proven,
        "proof_command": f'portineria ledger verify portineria-event-{seq}.json --root "{root}"',
    }  # fmt: skip
    return render(request, "console/event.html", context)


@require_POST
@page
def proof(request: HttpRequest, actor: Person, organisation: str, seq: int) -> HttpResponse:
    line = register.prove_event(actor=actor, organisation=organisation, seq=seq)
    response = HttpResponse(line, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="portineria-event-{seq}.json"'
    response["Cache-Control"] = "no-store"
    return response
