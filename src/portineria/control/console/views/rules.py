# SPDX-License-Identifier: Apache-2.0
"""Rules: who may ask for what, when and how; what they said before; and what they would allow."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portineria.control.access import queries as access
from portineria.control.access import services
from portineria.control.access.around import ways
from portineria.control.access.levels import levels_of_rule
from portineria.control.access.models import Rule
from portineria.control.access.watchers import named_watchers
from portineria.control.console import queries, rule_queries
from portineria.control.console.asking_twice import asking_twice, once_seen
from portineria.control.console.forms import ReasonForm
from portineria.control.console.level_forms import level_initial
from portineria.control.console.page import attempt, leaf, page
from portineria.control.console.rule_forms import RuleForm, SimulationForm
from portineria.control.console.rule_words import sentences
from portineria.control.estate import queries as estate
from portineria.control.identity import queries as identity
from portineria.control.identity.authority import administers, require
from portineria.control.identity.models import Organisation, Person
from portineria.core.errors import NotFound


def _require_staff(actor: Person) -> None:
    """For everybody else these pages do not exist."""
    if not actor.staff_of:
        raise NotFound(f"rules, for {actor.public_id}")


@page
def rules(request: HttpRequest, actor: Person) -> HttpResponse:
    _require_staff(actor)
    search = request.GET.get("q", "").strip()[:100]
    rows = leaf(request, access.rules_listed(actor, search))
    context = {"rows": rows, "search": search, "administers": queries.administers(actor)}
    return render(request, "console/rules.html", context)


@page
def rule(request: HttpRequest, actor: Person, rule: str) -> HttpResponse:
    shown = rule_queries.rule_page(actor, rule)
    machines = leaf(request, rule_queries.named(actor, shown.rule))
    return render(request, "console/rule.html", {"page": shown, "machines": machines})


def administered(request: HttpRequest, actor: Person) -> Organisation:
    """The one that is asked for, or the first that the actor administers. Raise NotFound, Denied."""
    _require_staff(actor)
    mine = [row for row in identity.organisations(actor) if row.pk in actor.staff_of]
    wanted = request.GET.get("of") or request.POST.get("of")
    chosen = next((row for row in mine if row.public_id == wanted), mine[0])
    require(actor, chosen.pk, administers)
    return chosen


@page
def add(request: HttpRequest, actor: Person) -> HttpResponse:
    owner = administered(request, actor)
    initial = {
        "machines": request.GET.get("machine", "")[:200], "person": request.GET.get("person", "")[:254],
        "windows": "Mon-Fri 08:00-18:00",
    }  # fmt: skip
    form = RuleForm(request.POST or None, actor=actor, owner=owner, rule=None, initial=initial)
    made: list[Rule] = []
    if form.is_valid() and attempt(
        form, lambda: made.append(services.create_rule(actor=actor, organisation=owner.public_id, **form.given))
    ):
        messages.success(request, _("The rule holds from now on."))
        return redirect("console:rule", made[0].public_id)
    return _form(request, form, owner)


def _form(request: HttpRequest, form: RuleForm, owner: Organisation) -> HttpResponse:
    context = {"form": form, "owner": owner, "rule": form.rule, "said": sentences(form.terms())}
    return render(request, "console/rule_form.html", context)


def _to_change(actor: Person, public_id: str) -> Rule:
    row = access.rule(actor, public_id)
    require(actor, row.organisation_id, administers)
    return row


@page
@asking_twice
def change(request: HttpRequest, actor: Person, rule: str) -> HttpResponse:
    row = _to_change(actor, rule)
    levels = levels_of_rule(row)
    initial = {
        "machines": "\n".join(f"{machine.plant.name}/{machine.name}" for machine in row.machines.all()),
        "profile": row.profile.name if row.profile else "",
        "only_decoded": row.only_decoded,
        "windows": row.windows,
        "max_minutes": row.max_minutes,
        **level_initial(row, levels),
        "needs_reference": row.needs_reference,
        "needs_recording": row.needs_recording,
        "watcher": ", ".join(person.email for person in named_watchers(row)),
        "needs_maintenance": row.needs_maintenance,
        "signals": row.signals.split(),
        "only_services": row.only_services,
        "places": [str(place) for place in row.places.all()],
        "trainings": row.trainings.split(),
        "factor_minutes": row.factor_minutes or "",
        "needs_listed_reason": row.needs_listed_reason,
        "needs_device": row.needs_device,
        "least_standing": row.least_standing,
    }
    form = RuleForm(request.POST or None, actor=actor, owner=row.organisation, rule=row, levels=levels, initial=initial)
    if form.is_valid() and attempt(
        form, _seen(request, actor, row, lambda: services.change_rule(actor=actor, rule=rule, **form.given))
    ):
        messages.success(request, _("The rule is changed. What it no longer allows is ending."))
        return redirect("console:rule", rule)
    return _form(request, form, row.organisation)


def _seen(request: HttpRequest, actor: Person, row: Rule, act: Callable[[], Rule]) -> Callable[[], Rule]:
    return once_seen(request, act, actor=actor, organisation=row.organisation_id)


@page
@asking_twice
def end(request: HttpRequest, actor: Person, rule: str) -> HttpResponse:
    row = _to_change(actor, rule)
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form, _seen(request, actor, row, lambda: services.end_rule(actor=actor, rule=rule, **form.cleaned_data))
    ):
        messages.success(request, _("The rule has ended. What runs under it may finish."))
        return redirect("console:rules")
    return render(request, "console/rule_end.html", {"form": form, "rule": row})


@require_POST
@page
def sentence(request: HttpRequest, actor: Person) -> HttpResponse:
    """What the form says so far, in words; asked for while somebody fills it in."""
    owner = administered(request, actor)
    known = request.POST.get("rule", "")
    row = _to_change(actor, known) if known else None
    levels = levels_of_rule(row) if row is not None else []
    form = RuleForm(request.POST, actor=actor, owner=owner, rule=row, levels=levels)
    form.is_valid()
    return render(request, "console/parts/rule_said.html", {"said": sentences(form.terms())})


@page
def simulate(request: HttpRequest, actor: Person) -> HttpResponse:
    """Would this be allowed at that time? Nothing is asked, given or kept."""
    _require_staff(actor)
    form = SimulationForm(request.GET or None)
    context: dict[str, object] = {"form": form}
    if form.is_valid():
        wanted = form.cleaned_data
        member = identity.members(actor).filter(person__email=wanted["person"].strip().lower()).first()
        machine = estate.called(estate.machines(actor).annotate(**ways()), wanted["machine"]).first()
        if member is None:
            form.add_error("person", _("Nobody here has this address."))
        if machine is None:
            form.add_error("machine", _("There is no machine %(name)s.") % {"name": wanted["machine"]})
        if member is not None and machine is not None:
            at = form.moment(machine.plant.time_zone)
            [found] = rule_queries.reaches([(member, member.person, machine)], at, form.beginning(), approving=True)
            context |= {"found": found, "at": at, "zone": machine.plant.time_zone}
    return render(request, "console/simulate.html", context)


@page
def who(request: HttpRequest, actor: Person, machine: str) -> HttpResponse:
    _require_staff(actor)  # whom else the owner lets in is nobody's business whom they delegate to
    row = estate.machine_alone(actor, machine, ways())
    members = leaf(request, rule_queries.could_reach(actor, row))
    found = rule_queries.reaches([(member, member.person, row) for member in members], timezone.now())
    return render(request, "console/who.html", {"machine": row, "rows": members, "found": found})


@page
def reach(request: HttpRequest, actor: Person, organisation: str, person: str) -> HttpResponse:
    member = identity.member(actor, organisation, person)
    machines = leaf(request, rule_queries.in_reach(actor, member))
    found = rule_queries.reaches([(member, member.person, machine) for machine in machines], timezone.now())
    return render(request, "console/reach.html", {"member": member, "rows": machines, "found": found})
