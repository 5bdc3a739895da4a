# SPDX-License-Identifier: Apache-2.0
"""Where sign-in meets our rules: no open sign-up, secrets wrapped, every sign-in and password in the ledger."""

import base64
from datetime import datetime, timedelta
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portineria.control.identity.attempts import record_failed_sign_in
from portineria.control.identity.fresh_factor import PROVE_IT, note_shown, proved_again
from portineria.control.identity.models import Person
from portineria.control.identity.queries import has_second_factor
from portineria.control.identity.services import record_for_person
from portineria.control.identity.vault import unwrap, wrap

_MOMENT = timedelta(minutes=5)


def _a_moment_ago() -> datetime:
    return timezone.now() - _MOMENT


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return str(request.META.get("REMOTE_ADDR") or "")

    def post_login(self, request: HttpRequest, user: Person, **given: Any) -> HttpResponse:
        vouched = getattr((given.get("signal_kwargs") or {}).get("sociallogin"), "vouched", None)
        if vouched is not None and vouched.factor is not None:  # not before: signing somebody else out forgets it
            note_shown(request, user, given["signal_kwargs"]["sociallogin"].account.provider, vouched.factor)
        methods = request.session.get("account_authentication_methods") or []
        method = " ".join(str(entry.get("type") or entry.get("method")) for entry in methods) or "password"
        record_for_person("identity.person.signed-in", user, method=method, address=self.get_client_ip(request))
        answer: HttpResponse = super().post_login(request, user, **given)
        return answer

    def is_reauthentication_required(self, *, app: str, **given: Any) -> bool:
        """Not for the very first second factor, nor for the recovery codes that come with it: the password was given a
        moment ago, and nothing else was open yet.
        """
        person, before = context.request.user, _a_moment_ago()
        first = isinstance(person, Person) and not has_second_factor(person, before) and not person.has_provided_factor
        if (app == "allauth.mfa" and first) or proved_again(context.request, timezone.now()):
            return False
        return bool(super().is_reauthentication_required(app=app, **given))

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if isinstance(user, Person) and user.has_provided_factor:
            found.append({"id": PROVE_IT, "description": _("Use your company's sign-in"), "url": reverse(PROVE_IT)})
        return found

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        record_failed_sign_in(email=str(credentials.get("email") or ""), address=self.get_client_ip(request))
        super().authentication_failed(request, **credentials)

    @transaction.atomic
    def set_password(self, user: Person, password: str) -> None:
        """By whoever is signed in and knows the old one, or with the link of an invitation."""
        super().set_password(user, password)
        known = context.request.user.is_authenticated
        code = "identity.password.changed" if known else "identity.password.set"
        record_for_person(code, user, address=self.get_client_ip(context.request))

    @transaction.atomic
    def logout(self, request: HttpRequest) -> None:
        if isinstance(request.user, Person):
            record_for_person("identity.person.signed-out", request.user, address=self.get_client_ip(request))
        super().logout(request)


class BrowsersAdapter(DefaultUserSessionsAdapter):  # type: ignore[misc]
    @transaction.atomic
    def end_sessions(self, sessions: list[UserSession]) -> None:
        """The other browsers of whoever asks."""
        super().end_sessions(sessions)
        if sessions:
            address = str(context.request.META.get("REMOTE_ADDR") or "")
            person = sessions[0].user
            record_for_person("identity.browsers.signed-out", person, browsers=len(sessions), address=address)


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        return base64.b64encode(wrap(text.encode(), purpose="second-factor")).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return unwrap(base64.b64decode(encrypted_text), purpose="second-factor").decode()
