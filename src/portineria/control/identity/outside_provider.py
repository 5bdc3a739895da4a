# SPDX-License-Identifier: Apache-2.0
"""What the sign-in library asks of a provider, whichever its kind: who was vouched for, and nothing to keep."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from portineria.control.identity.claims import Vouched, read_claims
from portineria.control.identity.said_factor import said_factor
from portineria.control.settings.start import current

PROVE = "prove"  # what a visit is for: to show the second factor anew, by whoever is signed in already


class Unproven(OAuth2Error):  # type: ignore[misc]
    """An answer that does not prove what it says."""


def callback_address(provider: str) -> str:
    """What is entered at the provider; of the address that people use, whatever a request says it came by."""
    return current().public_url.rstrip("/") + reverse("company_callback", args=[provider])


class Vouching:
    """Beside a provider of the library; ``response`` is the verified claims."""

    app: Any
    leeway_s: int  # what clocks may differ by

    def extract_uid(self, data: Mapping[str, Any]) -> str:
        return self.vouched(data).subject

    def extract_extra_data(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {}  # the library would keep it: name, address, groups

    def extract_common_fields(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def extract_email_addresses(self, data: Mapping[str, Any]) -> list[Any]:
        return []

    def sociallogin_from_response(self, request: HttpRequest, response: Mapping[str, Any]) -> Any:
        """With ``vouched``, and the ``nonce`` that is compared with the one of the browser's own sign-in."""
        login = super().sociallogin_from_response(request, response)  # type: ignore[misc]
        login.vouched, login.nonce = self.vouched(response), response.get("nonce")
        return login

    def vouched(self, claims: Mapping[str, Any]) -> Vouched:
        try:
            read = read_claims(claims, self.app.settings["groups_claim"])
        except ValueError as error:
            raise Unproven(str(error)) from error
        terms, leeway = self.app.settings["factor"], timedelta(seconds=self.leeway_s)
        return replace(read, factor=said_factor(claims, terms, now=timezone.now(), leeway=leeway))
