# SPDX-License-Identifier: Apache-2.0
"""What an organisation delegated, and to whom; and who is behind the names of the provider's people."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from portineria.control.access.withdrawal import withdraw as withdraw_all
from portineria.control.console.customers import named
from portineria.control.console.delegation_forms import DelegationForm, as_it_is
from portineria.control.console.forms import DecisionForm, ReasonForm
from portineria.control.console.page import attempt, page
from portineria.control.console.queries import administered
from portineria.control.identity import delegating, resolving
from portineria.control.identity import queries as identity
from portineria.control.identity.authority import administers, require
from portineria.control.identity.delegation_models import Delegation, QuestionState
from portineria.control.identity.models import Person
from portineria.core.errors import Denied, NotFound


def _require_staff(actor: Person) -> None:
    """For everybody else these pages do not exist."""
    if not actor.staff_of:
        raise NotFound(f"delegations, for {actor.public_id}")


@page
def delegations(request: HttpRequest, actor: Person) -> HttpResponse:
    _require_staff(actor)
    at, organisations = timezone.now(), administered(actor)
    context = {
        "rows": [(row, powers, row.holds(at)) for row, powers in named(delegating.given_by(actor))],
        "own": [row for row in identity.organisations(actor) if row.pk in actor.staff_of],
        "questions": resolving.questions(actor)[:50],
        "administers": bool(organisations),
        "administered": organisations,
        "answers_for": {row.pk for row in organisations},
    }
    return render(request, "console/delegations.html", context)


@page
def add(request: HttpRequest, actor: Person) -> HttpResponse:
    _require_staff(actor)
    organisations = administered(actor)
    if not organisations:
        raise Denied("administers no organisation")
    form = DelegationForm(request.POST or None, organisations=organisations)
    if form.is_valid() and attempt(form, lambda: delegating.delegate(actor=actor, **form.given())):
        messages.success(request, _("Delegated. The provider's people see it at once."))
        return redirect("console:delegations")
    return render(request, "console/delegation_add.html", {"form": form, "several": len(organisations) > 1})


@page
def delegation(request: HttpRequest, actor: Person, delegation: str) -> HttpResponse:
    row = delegating.given(actor, delegation)
    at = timezone.now()
    context = {
        "row": row, "powers": named([row])[0][1], "holds": row.holds(at), "incident": row.incident_at(at),
        "analysts": resolving.analysts([row]), "administers": row.organisation in administered(actor),
    }  # fmt: skip
    return render(request, "console/delegation.html", context)


def _changeable(actor: Person, delegation: str) -> Delegation:
    row = delegating.given(actor, delegation)
    require(actor, row.organisation_id, administers)
    return row


@page
def change(request: HttpRequest, actor: Person, delegation: str) -> HttpResponse:
    row = _changeable(actor, delegation)
    form = DelegationForm(request.POST or None, organisations=[row.organisation], initial=as_it_is(row))
    if form.is_valid() and attempt(form, lambda: delegating.delegate(actor=actor, **form.given())):
        messages.success(request, _("Changed. It holds at once."))
        return redirect("console:delegation", row.public_id)
    return render(request, "console/delegation_add.html", {"form": form, "several": False, "row": row})


@page
def withdraw(request: HttpRequest, actor: Person, delegation: str) -> HttpResponse:
    row = _changeable(actor, delegation)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(form, lambda: withdraw_all(actor=actor, delegation=delegation, **form.cleaned_data)):
        messages.success(request, _("Withdrawn."))
        return redirect("console:delegation", row.public_id)
    context = {"form": form, "row": row, "incident": row.incident_at(timezone.now())}
    return render(request, "console/delegation_withdraw.html", context)


@page
def ask(request: HttpRequest, actor: Person, delegation: str, analyst: str) -> HttpResponse:
    """By either side."""
    row = resolving.pair(actor, delegation)
    about = resolving.analysts([row]).filter(person__public_id=analyst).first()
    if about is None:
        raise NotFound(f"analyst {analyst}")
    if not {one.pk for one in administered(actor)} & {row.organisation_id, row.provider_id}:
        raise Denied("administers neither")
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: resolving.ask(actor=actor, delegation=delegation, analyst=analyst, **form.cleaned_data)
    ):
        messages.success(request, _("Asked. The other organisation says yes or no."))
        return redirect("console:delegations")
    return render(request, "console/name_ask.html", {"form": form, "row": row, "analyst": about.person})


@page
def answer(request: HttpRequest, actor: Person, question: str) -> HttpResponse:
    row = resolving.question(actor, question)
    require(actor, row.asked_of, administers)
    form, yes = DecisionForm(request.POST or None), "yes" in request.POST
    if request.method == "POST" and form.is_valid() and attempt(
        form, lambda: resolving.answer(actor=actor, question=question, yes=yes, **form.cleaned_data)
    ):  # fmt: skip
        return redirect("console:delegations")
    context = {"form": form, "row": row, "open": row.state == QuestionState.ASKED}
    return render(request, "console/name_answer.html", context)
