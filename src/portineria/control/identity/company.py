# SPDX-License-Identifier: Apache-2.0
"""The way to somebody's own company and back: which provider an e-mail address leads to, and what it answers."""

import requests
import structlog
from allauth.core import ratelimit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from portineria.control.identity.claims import Refusal
from portineria.control.identity.openid import OpenIdAdapter, Unproven, provider_of
from portineria.control.identity.outside_adapter import LOGIN, refused
from portineria.control.identity.provider_models import IdentityProvider
from portineria.control.identity.provider_queries import provider_for
from portineria.control.identity.vouching import note_refusal

log = structlog.get_logger()


@never_cache
@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """The answer depends on what follows the @ alone, never on whether anybody has the address."""
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="login")
    if limited is not None:
        return limited
    found, place = provider_for(request.POST.get("login", "")[:254]), _place(request)
    if found is not None:
        return leave(request, found, LOGIN, place)
    messages.info(request, _("No company signs in here with addresses of this kind. Use your password or a passkey."))
    answer = redirect("account_login")
    if place:
        answer.headers["Location"] += "?" + urlencode({"next": place})
    return answer


def _place(request: HttpRequest) -> str | None:
    """Where somebody wanted to go, on this server only."""
    place = request.POST.get("next", "")
    return place if place and url_has_allowed_host_and_scheme(place, allowed_hosts=None) else None


def leave(request: HttpRequest, row: IdentityProvider, process: str, place: str | None = None) -> HttpResponse:
    """A page that goes on by itself: browsers hold form-action against where a form's answer leads, and naming every
    provider in that policy would tell everybody whose they are.
    """
    try:
        location = provider_of(request, row).redirect(request, process, place).headers["Location"]
    except (requests.RequestException, OAuth2Error) as error:
        why = Refusal.UNPROVEN if isinstance(error, Unproven) else Refusal.UNREACHABLE
        log.info("sign-in.refused", provider=row.public_id, code=why.value, why=str(error))
        note_refusal(provider=row.public_id, why=why, address=str(request.META.get("REMOTE_ADDR") or ""))
        return refused(request, why)
    return render(request, "identity/leaving.html", {"location": location, "name": row.name})


@never_cache
@require_GET
def callback(request: HttpRequest, provider: str) -> HttpResponse:
    view = OAuth2CallbackView.adapter_view(OpenIdAdapter(request, provider))
    try:
        answer: HttpResponse = view(request)
    except SocialApp.DoesNotExist as error:
        raise Http404 from error
    return answer


urlpatterns = [
    path("", sign_in, name="company_sign_in"),
    path("<str:provider>/callback/", callback, name="company_callback"),
]
