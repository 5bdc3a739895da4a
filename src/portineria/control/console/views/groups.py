# SPDX-License-Identifier: Apache-2.0
"""Groups of people, of whom rules speak."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portineria.control.access import queries as access
from portineria.control.console.asking_twice import asking_twice, once_seen
from portineria.control.console.forms import ReasonForm
from portineria.control.console.group_forms import GroupForm, MemberForm, SourceForm
from portineria.control.console.page import attempt, leaf, page
from portineria.control.console.queries import administered
from portineria.control.identity import group_queries
from portineria.control.identity import groups as services
from portineria.control.identity.authority import administers, require
from portineria.control.identity.group_models import Group
from portineria.control.identity.models import Person
from portineria.control.identity.provider_queries import named_providers
from portineria.core.errors import NotFound


@page
def groups(request: HttpRequest, actor: Person) -> HttpResponse:
    """Of the organisations whose staff the actor is. For everybody else the page does not exist."""
    if not actor.staff_of:
        raise NotFound(f"groups, for {actor.public_id}")
    owners, made = administered(actor), list[Group]()
    form = GroupForm(request.POST or None, organisations=owners) if owners else None
    if form is not None and form.is_valid() and attempt(
        form, lambda: made.append(services.create_group(actor=actor, **form.cleaned_data))
    ):  # fmt: skip
        return redirect("console:group", made[0].public_id)
    search = request.GET.get("q", "").strip()[:100]
    context = {
        "rows": leaf(request, group_queries.groups(actor, search)), "search": search, "form": form,
        "several": len(actor.staff_of) > 1,
    }  # fmt: skip
    return render(request, "console/groups.html", context)


@page
def group(request: HttpRequest, actor: Person, group: str) -> HttpResponse:
    return _shown(request, actor, group_queries.group(actor, group))


def _shown(request: HttpRequest, actor: Person, row: Group, **forms: Any) -> HttpResponse:
    role = actor.role_in(row.organisation_id)
    providers = list(named_providers(actor).filter(organisation=row.organisation_id).order_by("name"))
    context: dict[str, Any] = {
        "group": row, "members": leaf(request, group_queries.group_members(actor, row)),
        "sources": group_queries.group_sources(actor, row), "rules": access.rules(actor).filter(group=row),
        "providers": providers, "may_change": role is not None and administers(role),
        "member_form": MemberForm(actor=actor, group=row), "source_form": SourceForm(providers=providers), **forms,
    }  # fmt: skip
    return render(request, "console/group.html", context)


def _changeable(actor: Person, group: str) -> Group:
    row = group_queries.group(actor, group)
    require(actor, row.organisation_id, administers)
    return row


def _seen(request: HttpRequest, actor: Person, row: Group, act: Callable[[], object]) -> Callable[[], object]:
    return once_seen(request, act, actor=actor, organisation=row.organisation_id)


@require_POST
@page
def add(request: HttpRequest, actor: Person, group: str) -> HttpResponse:
    row = _changeable(actor, group)
    form = MemberForm(request.POST, actor=actor, group=row)
    if form.is_valid() and attempt(form, lambda: services.put_in(actor=actor, group=group, **form.cleaned_data)):
        return redirect("console:group", group)
    return _shown(request, actor, row, member_form=form)


@require_POST
@page
@asking_twice
def remove(request: HttpRequest, actor: Person, group: str, person: str) -> HttpResponse:
    row = _changeable(actor, group)
    _seen(request, actor, row, lambda: services.take_out(actor=actor, group=group, person=person))()
    messages.success(request, _("Taken out. What they had open under a rule for this group is cut."))
    return redirect("console:group", group)


@require_POST
@page
def follow(request: HttpRequest, actor: Person, group: str) -> HttpResponse:
    """Whoever is in a group at a provider is in this one from their next sign-in on."""
    row = _changeable(actor, group)
    providers = list(named_providers(actor).filter(organisation=row.organisation_id).order_by("name"))
    form = SourceForm(request.POST, providers=providers)
    if form.is_valid() and attempt(form, lambda: services.add_source(actor=actor, group=group, **form.cleaned_data)):
        return redirect("console:group", group)
    return _shown(request, actor, row, source_form=form)


@require_POST
@page
@asking_twice
def unfollow(request: HttpRequest, actor: Person, group: str, number: int) -> HttpResponse:
    row = _changeable(actor, group)
    _seen(request, actor, row, lambda: services.remove_source(actor=actor, group=group, source=number))()
    return redirect("console:group", group)


@page
@asking_twice
def close(request: HttpRequest, actor: Person, group: str) -> HttpResponse:
    row, form = _changeable(actor, group), ReasonForm(request.POST or None)
    if form.is_valid() and attempt(
        form, _seen(request, actor, row, lambda: services.close_group(actor=actor, group=group, **form.cleaned_data))
    ):
        messages.success(request, _("The group is closed. Rules that name it let nobody in."))
        return redirect("console:groups")
    naming = access.rules(actor).filter(group=row).count()
    return render(request, "console/group_close.html", {"form": form, "group": row, "naming": naming})
