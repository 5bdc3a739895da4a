# SPDX-License-Identifier: Apache-2.0
"""Where the sign-in library meets our rules for who comes from outside: providers are our rows, an answer is taken for
the sign-in that this browser began, and what it leads to is decided by ``vouching``.
"""

import secrets
from datetime import UTC, datetime
from typing import Any

import structlog
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portineria.control.identity import providers, proving, vouching
from portineria.control.identity.claims import Refusal
from portineria.control.identity.fresh_factor import note_shown
from portineria.control.identity.models import Person
from portineria.control.identity.outside_provider import PROVE, Unproven
from portineria.control.identity.provider_http import BoundedSession
from portineria.control.identity.provider_kinds import provider_of
from portineria.control.identity.provider_queries import enabled_provider
from portineria.control.identity.provider_queries import provider as provider_seen

log = structlog.get_logger()
LOGIN, CONNECT, TRY = "login", "connect", "try"


class OutsideAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Any:
        row = enabled_provider(provider)
        if row is None:
            raise SocialApp.DoesNotExist
        return provider_of(request, row)

    def list_apps(self, request: HttpRequest, provider: str | None = None, client_id: str | None = None) -> list[Any]:
        return []  # nothing lists them: each organisation's are its own

    def get_requests_session(self) -> BoundedSession:
        return BoundedSession()

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: Any) -> Any:
        return sociallogin.user

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Raises what is answered instead, except for somebody who comes in."""
        provider, state = sociallogin.account.provider, sociallogin.state
        if not secrets.compare_digest(str(state.get("nonce") or ""), str(sociallogin.nonce or "")):
            raise Unproven("ID token: made for another sign-in")
        if state.get("process") == TRY:
            raise ImmediateHttpResponse(_tried(request, provider, sociallogin.vouched))
        if state.get("process") == CONNECT:
            raise ImmediateHttpResponse(_connected(request, provider, sociallogin.vouched))
        if state.get("process") == PROVE:
            raise ImmediateHttpResponse(_proved(request, provider, sociallogin))
        found = vouching.admit(provider=provider, vouched=sociallogin.vouched, address=_address(request))
        if isinstance(found, Refusal):
            raise ImmediateHttpResponse(refused(request, found))
        sociallogin.user = found

    def on_authentication_error(self, request: HttpRequest, provider: Any, error: Any = None,
                                exception: Exception | None = None, extra_context: Any = None) -> None:  # fmt: skip
        why = _why(request, exception)
        log.info("sign-in.refused", provider=provider.app.provider_id, code=why.value, why=str(exception or error))
        if why is not Refusal.CANCELLED:
            vouching.note_refusal(provider=provider.app.provider_id, why=why, address=_address(request))
        raise ImmediateHttpResponse(refused(request, why))


def _why(request: HttpRequest, exception: Exception | None) -> Refusal:
    if request.GET.get("error") == "access_denied":  # RFC 6749, 4.1.2.1
        return Refusal.CANCELLED
    unproven = exception is None or isinstance(exception, Unproven)
    return Refusal.UNPROVEN if unproven else Refusal.UNREACHABLE


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR") or "")


def refused(request: HttpRequest, why: Refusal) -> HttpResponse:
    status = 503 if why is Refusal.UNREACHABLE else 403
    return render(request, "identity/not_admitted.html", {"why": why.value}, status=status)


def _tried(request: HttpRequest, provider: str, vouched: Any) -> HttpResponse:
    """What the sign-in would have led to, for whoever administers; it changes nothing."""
    person = request.user
    if not isinstance(person, Person):
        return refused(request, Refusal.UNPROVEN)
    trial = vouching.tried(provider_seen(person, provider), vouched)
    providers.note_tried(actor=person, provider=provider, outcome=trial.role)
    context = {"trial": trial, "provider": provider, "refused": isinstance(trial.role, Refusal)}
    return render(request, "console/provider_tried.html", context)


def _proved(request: HttpRequest, provider: str, login: Any) -> HttpResponse:
    person, since = request.user, datetime.fromtimestamp(login.state["asked_at"], tz=UTC)
    if not isinstance(person, Person):
        return refused(request, Refusal.UNPROVEN)
    found = proving.prove(actor=person, provider=provider, vouched=login.vouched, since=since)
    if isinstance(found, Refusal):
        vouching.note_refusal(provider=provider, why=found, address=_address(request))
        return refused(request, found)
    note_shown(request, person, provider, found, again=True)
    request.session.pop(STATE_SESSION_KEY, None)  # what was to be done is begun anew, by whoever comes back
    return redirect(login.state.get("next") or "/")


def _connected(request: HttpRequest, provider: str, vouched: Any) -> HttpResponse:
    person = request.user
    if not isinstance(person, Person):
        return refused(request, Refusal.UNPROVEN)
    why = vouching.connect(actor=person, provider=provider, vouched=vouched)
    return redirect("console:account") if why is None else refused(request, why)
