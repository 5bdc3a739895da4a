# SPDX-License-Identifier: Apache-2.0
"""The way to somebody's own company and back: which provider an e-mail address leads to, and what it answers."""

import requests
import structlog
from allauth.core import ratelimit
from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portineria.control.identity.claims import Refusal
from portineria.control.identity.models import Person
from portineria.control.identity.openid import OpenIdAdapter
from portineria.control.identity.outside_adapter import LOGIN, refused
from portineria.control.identity.outside_provider import PROVE, Unproven
from portineria.control.identity.provider_kinds import provider_of, saml_room
from portineria.control.identity.provider_models import IdentityProvider, ProviderKind
from portineria.control.identity.provider_queries import enabled_provider, provider_for
from portineria.control.identity.proving import provers
from portineria.control.identity.vouching import note_refusal

log = structlog.get_logger()


@never_cache
@require_POST
def sign_in(request: HttpRequest) -> HttpResponse:
    """The answer depends on what follows the @ alone, never on whether anybody has the address."""
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="company")
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
    place = request.POST.get("next") or request.GET.get("next", "")
    return place if place and url_has_allowed_host_and_scheme(place, allowed_hosts=None) else None


def leave(request: HttpRequest, row: IdentityProvider, process: str, place: str | None = None) -> HttpResponse:
    """A page that goes on by itself: browsers hold form-action against where a form's answer leads, and naming every
    provider in that policy would tell everybody whose they are.
    """
    try:
        location = provider_of(request, row).redirect(request, process, place).headers["Location"]
    except (requests.RequestException, OAuth2Error) as error:
        return _refused(request, row, error)
    return render(request, "identity/leaving.html", {"location": location, "name": row.name})


def _refused(request: HttpRequest, row: IdentityProvider, error: Exception) -> HttpResponse:
    why = Refusal.UNPROVEN if isinstance(error, Unproven) else Refusal.UNREACHABLE
    log.info("sign-in.refused", provider=row.public_id, code=why.value, why=str(error))
    note_refusal(provider=row.public_id, why=why, address=str(request.META.get("REMOTE_ADDR") or ""))
    return refused(request, why)


@never_cache
@csrf_exempt  # a SAML provider's form has no token of ours; the state of this browser's own sign-in is asked for
@require_http_methods(["GET", "POST"])
def callback(request: HttpRequest, provider: str) -> HttpResponse:
    """One return address for either kind: an OpenID provider sends a code by GET, a SAML one its response by POST."""
    row = enabled_provider(provider)
    if row is None or (row.kind == ProviderKind.SAML) != (request.method == "POST"):
        raise Http404
    if request.method == "POST":
        return _saml_answer(request, row)
    view = OAuth2CallbackView.adapter_view(OpenIdAdapter(request, provider))
    answer: HttpResponse = view(request)
    return answer


def _saml_answer(request: HttpRequest, row: IdentityProvider) -> HttpResponse:
    """A form from elsewhere comes without our cookie (SameSite=Lax), so it is sent once more from a page of ours. It is
    not kept meanwhile, which would let strangers fill the database.
    """
    response = request.POST.get("SAMLResponse", "")
    if "again" not in request.POST:
        return render(request, "identity/returning.html", {"response": response, "name": row.name})
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="company")
    if limited is not None:
        return limited
    try:
        login = provider_of(request, row).answered(request, response)
    except Unproven as error:
        return _refused(request, row, error)
    answer: HttpResponse = complete_social_login(request, login)
    return answer


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def prove(request: HttpRequest) -> HttpResponse:
    """For whoever is signed in: to their company's sign-in, which asks for the second factor anew, and back here."""
    found = provers(request.user) if isinstance(request.user, Person) else []
    if not found:
        raise Http404
    chosen = next((row for row in found if row.public_id == request.POST.get("provider")), None)
    if chosen is None:
        return render(request, "identity/prove.html", {"providers": found, "next": _place(request) or ""})
    limited: HttpResponse | None = ratelimit.consume_or_429(request, action="company")
    return leave(request, chosen, PROVE, _place(request)) if limited is None else limited


@require_GET
def metadata(request: HttpRequest, provider: str) -> HttpResponse:
    """What a SAML provider has to know of us; nothing of it is secret."""
    row = enabled_provider(provider)
    if row is None or row.kind != ProviderKind.SAML:
        raise Http404
    return HttpResponse(saml_room().our_metadata(provider), content_type="application/samlmetadata+xml")


urlpatterns = [
    path("", sign_in, name="company_sign_in"),
    path("prove/", prove, name="company_prove"),
    path("<str:provider>/callback/", callback, name="company_callback"),
    path("<str:provider>/metadata/", metadata, name="company_metadata"),
]
