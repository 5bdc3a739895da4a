# SPDX-License-Identifier: Apache-2.0
"""Where sign-in meets our rules: no open sign-up, secrets wrapped, every sign-in in the ledger."""

import base64
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest, HttpResponse

from portineria.control.identity.models import Person
from portineria.control.identity.queries import has_second_factor
from portineria.control.identity.services import record_failed_sign_in, record_for_person, revoke_tokens
from portineria.control.identity.vault import unwrap, wrap

_KINDS = {
    "mfa/email/totp_activated": ("added", "totp"),
    "mfa/email/totp_deactivated": ("removed", "totp"),
    "mfa/email/webauthn_added": ("added", "webauthn"),
    "mfa/email/webauthn_removed": ("removed", "webauthn"),
    "mfa/email/recovery_codes_generated": ("added", "recovery-codes"),
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return str(request.META.get("REMOTE_ADDR") or "")

    def post_login(self, request: HttpRequest, user: Person, **given: Any) -> HttpResponse:
        methods = request.session.get("account_authentication_methods") or []
        method = " ".join(str(entry.get("type") or entry.get("method")) for entry in methods) or "password"
        record_for_person("identity.person.signed-in", user, method=method, address=self.get_client_ip(request))
        answer: HttpResponse = super().post_login(request, user, **given)
        return answer

    def is_reauthentication_required(self, *, app: str, **given: Any) -> bool:
        """Not for the very first second factor: the password was given a moment ago, and nothing else is open yet."""
        person = context.request.user
        if app == "allauth.mfa" and isinstance(person, Person) and not has_second_factor(person):
            return False
        return bool(super().is_reauthentication_required(app=app, **given))

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        record_failed_sign_in(email=str(credentials.get("email") or ""), address=self.get_client_ip(request))
        super().authentication_failed(request, **credentials)

    def send_notification_mail(self, template_prefix: str, user: Person, *given: Any, **more: Any) -> None:
        """The one hook that every change of a second factor passes; there is no mail yet, there is the ledger."""
        if template_prefix in _KINDS:
            what, kind = _KINDS[template_prefix]
            record_for_person(f"identity.second-factor.{what}", user, kind=kind)
            if what == "removed":
                revoke_tokens(user)  # they were issued to somebody who proved that factor


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        return base64.b64encode(wrap(text.encode(), purpose="second-factor")).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return unwrap(base64.b64decode(encrypted_text), purpose="second-factor").decode()
