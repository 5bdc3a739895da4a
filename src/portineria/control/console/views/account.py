# SPDX-License-Identifier: Apache-2.0
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portineria.control.access import hours as access_hours
from portineria.control.access.training_queries import confirmed_by
from portineria.control.console import texts
from portineria.control.console.forms import AccountForm, HoursForm, LanguageForm
from portineria.control.console.page import attempt, page
from portineria.control.identity import connector, offers, provider_queries, services
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Person
from portineria.control.privacy.queries import own_notices
from portineria.core.errors import NotFound


@page
def account(request: HttpRequest, actor: Person) -> HttpResponse:
    initial = {"name": actor.name, "language": actor.language, "time_zone": actor.time_zone}
    form = AccountForm(request.POST or None, initial=initial)
    if form.is_valid() and attempt(form, lambda: services.change_self(actor=actor, **form.cleaned_data)):
        with translation.override(form.cleaned_data["language"] or translation.get_language_from_request(request)):
            messages.success(request, _("Saved."))
        return redirect("console:account")
    context = {
        "form": form,
        "tokens": identity.tokens(actor),
        "roles": identity.own_memberships(actor),
        "factors": identity.second_factors(actor),
        "offers": offers.offers(actor),
        "hours": access_hours.own_hours(actor),
        "providers": provider_queries.own_providers(actor),
        "notices": own_notices(actor),
        "trainings": confirmed_by(actor, timezone.now()),
    }
    return render(request, "console/account.html", context)


@page
def hours(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    """When one can be asked there. For who does not work there the page does not exist."""
    said = next((one for one in access_hours.own_hours(actor) if one.organisation.public_id == organisation), None)
    if said is None:
        raise NotFound(f"hours, for {actor.public_id}")
    form = HoursForm(request.POST or None, initial={"own_hours": texts.windows(said.windows).replace("; ", "\n")})
    if form.is_valid() and attempt(
        form,
        lambda: access_hours.set_hours(actor=actor, organisation=organisation, windows=form.cleaned_data["own_hours"]),
    ):
        messages.success(request, _("Saved."))
        return redirect("console:account")
    return render(request, "console/hours.html", {"form": form, "said": said})


@require_POST
@page
def sign_out_connector(request: HttpRequest, actor: Person, token: str) -> HttpResponse:
    connector.revoke_token(actor=actor, token=token)
    messages.success(request, _("The connector is signed out. Sessions that run there go on until they are ended."))
    return redirect("console:account")


@require_POST
@page
def accept_offer(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    offers.accept(actor=actor, organisation=organisation)
    messages.success(request, _("You belong to this organisation now."))
    return redirect("console:account")


@require_POST
@page
def decline_offer(request: HttpRequest, actor: Person, organisation: str) -> HttpResponse:
    offers.decline(actor=actor, organisation=organisation)
    messages.success(request, _("Declined. The organisation learnt nothing else about you."))
    return redirect("console:account")


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Also before sign-in, where a cookie remembers it; with sign-in it belongs to the person."""
    form = LanguageForm(request.POST)
    there = str(form.data.get("next") or "/")
    safe = url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure())
    response = redirect(there if safe else "/")
    if form.is_valid():
        chosen = form.cleaned_data["language"]
        if isinstance(request.user, Person):
            person = request.user
            services.change_self(actor=person, name=person.name, language=chosen, time_zone=person.time_zone)
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, chosen, max_age=365 * 86400, samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )  # fmt: skip
    return response
