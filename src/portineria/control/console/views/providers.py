# SPDX-License-Identifier: Apache-2.0
"""Identity providers: who outside says who somebody is, and what their groups are here."""

from collections.abc import Callable
from typing import Any, TypeVar

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from portineria.control.console.asking_twice import asking_twice, once_seen
from portineria.control.console.forms import ReasonForm
from portineria.control.console.page import attempt, page
from portineria.control.console.provider_forms import (
    DomainForm,
    FactorForm,
    GroupForm,
    OpenIdForm,
    SamlForm,
    SecretForm,
)
from portineria.control.console.queries import administered
from portineria.control.identity import provider_queries as queries
from portineria.control.identity import providers as services
from portineria.control.identity import queries as identity
from portineria.control.identity import vouching
from portineria.control.identity.authority import administers, require
from portineria.control.identity.company import leave
from portineria.control.identity.models import Person
from portineria.control.identity.outside_adapter import CONNECT, TRY
from portineria.control.identity.outside_provider import callback_address
from portineria.control.identity.provider_models import IdentityProvider, ProviderKind
from portineria.core.errors import Denied, NotFound

T = TypeVar("T")


def _changeable(actor: Person, provider: str) -> IdentityProvider:
    row = queries.provider(actor, provider)
    require(actor, row.organisation_id, administers)
    return row


@page
def providers(request: HttpRequest, actor: Person) -> HttpResponse:
    """Of the organisations whose staff the actor is. For everybody else the page does not exist."""
    if not actor.staff_of:
        raise NotFound(f"providers, for {actor.public_id}")
    context = {
        "rows": queries.providers(actor), "administers": bool(administered(actor)), "several": len(actor.staff_of) > 1,
    }  # fmt: skip
    return render(request, "console/providers.html", context)


@page
def add(request: HttpRequest, actor: Person) -> HttpResponse:
    if not actor.staff_of:
        raise NotFound(f"providers, for {actor.public_id}")
    organisations = administered(actor)
    if not organisations:
        raise Denied("administers no organisation")
    saml, made = request.GET.get("kind") == ProviderKind.SAML, list[IdentityProvider]()
    form = (SamlForm if saml else OpenIdForm)(request.POST or None, organisations=organisations)
    if form.is_valid() and attempt(form, lambda: made.append(_add(actor, form))):
        messages.success(
            request, _("Added. Enter its return address at the provider, give groups a role, then try it.")
        )
        return redirect("console:provider", made[0].public_id)
    return render(request, "console/provider_add.html", {"form": form, "several": len(organisations) > 1, "saml": saml})


def _add(actor: Person, form: OpenIdForm | SamlForm) -> IdentityProvider:
    given = form.cleaned_data
    if isinstance(form, SamlForm):
        return services.add_saml(
            actor=actor, organisation=given["organisation"], name=given["name"], address=given["address"],
            groups_claim=given["groups_claim"], domains=form.domains(),
        )  # fmt: skip
    return services.add_openid(
        actor=actor, organisation=given["organisation"], name=given["name"], settings=form.settings(),
        domains=form.domains(),
    )  # fmt: skip


@page
def provider(request: HttpRequest, actor: Person, provider: str) -> HttpResponse:
    return _shown(request, actor, queries.provider(actor, provider))


def _shown(request: HttpRequest, actor: Person, row: IdentityProvider, **forms: Any) -> HttpResponse:
    role = actor.role_in(row.organisation_id)
    suppliers = identity.supplier_names(actor, [row.organisation])
    context: dict[str, Any] = {
        "provider": row, "may_change": role is not None and administers(role), "return_address": callback_address(
            row.public_id
        ),
        "groups": row.group_roles.select_related("supplier").order_by("group", "pk"),
        "domains": row.domains.order_by("domain"),
        "group_form": GroupForm(suppliers=suppliers), "domain_form": DomainForm(),
        "factor_form": FactorForm(initial={"counts": row.factor_counts, "levels": row.factor_levels}), **forms,
    }  # fmt: skip
    return render(request, "console/provider.html", context)


@require_POST
@page
@asking_twice
def set_factor(request: HttpRequest, actor: Person, provider: str) -> HttpResponse:
    """Whether its second factor counts."""
    row, form = _changeable(actor, provider), FactorForm(request.POST)

    def act() -> None:
        given = form.cleaned_data
        services.set_factor(actor=actor, provider=provider, counts=given["counts"], levels=given["levels"])

    if form.is_valid() and attempt(form, _seen(request, actor, row, act)):
        messages.success(request, _("Saved."))
        return redirect("console:provider", provider)
    return _shown(request, actor, row, factor_form=form)


@require_POST
@page
def map_group(request: HttpRequest, actor: Person, provider: str) -> HttpResponse:
    row = _changeable(actor, provider)
    suppliers = identity.supplier_names(actor, [row.organisation])
    form = GroupForm(request.POST, suppliers=suppliers)

    def act() -> None:
        role, supplier = form.given()
        group = form.cleaned_data["group"]
        services.map_group(actor=actor, provider=provider, group=group, role=role, supplier=supplier)

    if form.is_valid() and attempt(form, act):
        return redirect("console:provider", provider)
    return _shown(request, actor, row, group_form=form)


@require_POST
@page
@asking_twice
def unmap_group(request: HttpRequest, actor: Person, provider: str, number: int) -> HttpResponse:
    row = _changeable(actor, provider)
    ended = _seen(request, actor, row, lambda: services.unmap_group(actor=actor, provider=provider, mapping=number))()
    messages.success(request, _("Removed. Memberships that it gave and that ended: %(count)s") % {"count": ended})
    return redirect("console:provider", provider)


@require_POST
@page
def claim_domain(request: HttpRequest, actor: Person, provider: str) -> HttpResponse:
    row, form = _changeable(actor, provider), DomainForm(request.POST)
    if form.is_valid() and attempt(
        form, lambda: services.claim_domain(actor=actor, provider=provider, domain=form.cleaned_data["domain"])
    ):
        return redirect("console:provider", provider)
    return _shown(request, actor, row, domain_form=form)


@require_POST
@page
def release_domain(request: HttpRequest, actor: Person, provider: str, domain: str) -> HttpResponse:
    _changeable(actor, provider)
    services.release_domain(actor=actor, provider=provider, domain=domain)
    return redirect("console:provider", provider)


@never_cache
@require_POST
@page
def attempt_sign_in(request: HttpRequest, actor: Person, provider: str) -> HttpResponse:
    """Shows what the provider says, and what role it would give; nothing is changed."""
    return leave(request, _changeable(actor, provider), TRY)


def _seen(request: HttpRequest, actor: Person, row: IdentityProvider, act: Callable[[], T]) -> Callable[[], T]:
    return once_seen(request, act, actor=actor, organisation=row.organisation_id)


def _asked(
    request: HttpRequest, actor: Person, row: IdentityProvider, act: Callable[[str], object], template: str, done: str
) -> HttpResponse:
    form = ReasonForm(request.POST or None)
    if form.is_valid() and attempt(form, _seen(request, actor, row, lambda: act(form.cleaned_data["reason"]))):
        messages.success(request, done)
        return redirect("console:providers")
    return render(request, template, {"form": form, "provider": row})


@page
@asking_twice
def switch(request: HttpRequest, actor: Person, provider: str) -> HttpResponse:
    """Disable, or enable again."""
    row = _changeable(actor, provider)
    verb = services.disable if row.enabled else services.enable
    done = _("Disabled. What rested on it has ended.") if row.enabled else _("Enabled. Its people may sign in again.")
    return _asked(
        request, actor, row, lambda reason: verb(actor=actor, provider=provider, reason=reason),
        "console/provider_switch.html", done,
    )  # fmt: skip


@page
@asking_twice
def withdraw(request: HttpRequest, actor: Person, provider: str) -> HttpResponse:
    row = _changeable(actor, provider)
    return _asked(
        request, actor, row, lambda reason: services.withdraw(actor=actor, provider=provider, reason=reason),
        "console/provider_withdraw.html", _("Withdrawn. What rested on it has ended."),
    )  # fmt: skip


@page
def secret(request: HttpRequest, actor: Person, provider: str) -> HttpResponse:
    row, form = _changeable(actor, provider), SecretForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: services.replace_secret(actor=actor, provider=provider, secret=form.cleaned_data["client_secret"])
    ):
        messages.success(request, _("Saved."))
        return redirect("console:provider", provider)
    return render(request, "console/provider_secret.html", {"form": form, "provider": row})


@require_POST
@page
def refresh(request: HttpRequest, actor: Person, provider: str) -> HttpResponse:
    _changeable(actor, provider)
    services.refresh_saml(actor=actor, provider=provider)
    messages.success(request, _("Read anew."))
    return redirect("console:provider", provider)


@never_cache
@page
def connect(request: HttpRequest, actor: Person, provider: str) -> HttpResponse:
    """Somebody's own account: after it was proved anew, so that an open browser is not enough."""
    row = next((row for row in queries.own_providers(actor).connectable if row.public_id == provider), None)
    if row is None:
        raise NotFound(f"provider {provider}")
    answer: HttpResponse = _connect(request, row)
    return answer


@reauthentication_required  # type: ignore[untyped-decorator]
def _connect(request: HttpRequest, row: IdentityProvider) -> HttpResponse:
    if request.method == "POST":
        return leave(request, row, CONNECT)
    return render(request, "console/provider_connect.html", {"provider": row})


@require_POST
@page
def disconnect(request: HttpRequest, actor: Person, provider: str) -> HttpResponse:
    vouching.disconnect(actor=actor, provider=provider)
    messages.success(request, _("Disconnected."))
    return redirect("console:account")
