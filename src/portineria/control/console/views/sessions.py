# SPDX-License-Identifier: Apache-2.0
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from portineria.control.console import event_queries, queries
from portineria.control.console.forms import DecisionForm, ReasonForm
from portineria.control.console.page import attempt, leaf, page
from portineria.control.identity.authority import administers, require
from portineria.control.identity.lock_out import lock_out
from portineria.control.identity.models import Person
from portineria.control.identity.services import set_supplier_enabled
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions import services


@page
def sessions(request: HttpRequest, actor: Person) -> HttpResponse:
    past = leaf(request, remote_sessions.sessions(actor).filter(state="ended"))
    context = {
        "inside": queries.seen(remote_sessions.open_sessions(actor), actor),
        "rows": past,
        "past": queries.seen(past, actor),
        "staff": queries.is_staff(actor),
    }
    return render(request, "console/sessions.html", context)


@page
def session(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = remote_sessions.session(actor, public_id)
    streams = remote_sessions.streams(actor, public_id)
    context = {
        "seen": queries.Seen(row, actor),
        "streams": streams,
        "counted_at": remote_sessions.counted_at(streams),
        "events": event_queries.session_events(actor, public_id),
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
def end(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    row = remote_sessions.session(actor, public_id)
    form = DecisionForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and attempt(
        form, lambda: services.drain(actor=actor, session=public_id, **form.cleaned_data)
    ):  # fmt: skip
        messages.success(request, _("Nothing new can start. What runs may still finish."))
        return redirect("console:session", public_id)
    return render(request, "console/end.html", {"form": form, "seen": queries.Seen(row, actor)})


@page
def lock_person(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    """Whoever works in this session, out of this organisation: a matter of security, so everything is cut at once."""
    row = remote_sessions.session(actor, public_id)
    require(actor, row.organisation_id, administers)
    form, organisation = ReasonForm(request.POST or None), row.organisation.public_id
    if form.is_valid() and attempt(
        form,
        lambda: lock_out(actor=actor, person=row.person.public_id, organisation=organisation, **form.cleaned_data),
    ):
        messages.success(request, _("%(name)s is locked. Open sessions are being cut.") % {"name": row.person.name})
        return redirect("console:session", public_id)
    return render(request, "console/lock_person.html", {"form": form, "seen": queries.Seen(row, actor)})


@page
def lock_supplier(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    """Everybody of the supplier through whose rule this session came."""
    row = remote_sessions.session(actor, public_id)
    require(actor, row.organisation_id, administers)
    form, supplier = ReasonForm(request.POST or None), remote_sessions.supplier_of(row)
    if form.is_valid() and attempt(
        form,
        lambda: set_supplier_enabled(actor=actor, supplier=supplier.public_id, enabled=False, **form.cleaned_data),
    ):
        messages.success(request, _("%(name)s is locked. Open sessions are being cut.") % {"name": supplier.name})
        return redirect("console:session", public_id)
    context = {"form": form, "seen": queries.Seen(row, actor), "supplier": supplier}
    return render(request, "console/lock_supplier.html", context)
