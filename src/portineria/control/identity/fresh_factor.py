# SPDX-License-Identifier: Apache-2.0
"""When a browser's person last proved a second factor, and the way to prove it anew."""

from datetime import UTC, datetime, timedelta

from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import suspend_request
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from portineria.control.identity.models import SECOND_FACTORS, Person
from portineria.control.identity.queries import second_factors

FRESH = timedelta(minutes=2)  # long enough to come back from proving it, and to say yes


def factor_proven_at(request: HttpRequest) -> datetime | None:
    """In this browser, since its sign-in. Neither a password given once more counts, nor a recovery code."""
    found = [
        entry["at"]
        for entry in get_authentication_records(request, request.user)
        if entry.get("method") == "mfa" and entry.get("type") in SECOND_FACTORS
    ]
    return datetime.fromtimestamp(max(found), tz=UTC) if found else None


def proven_within(request: HttpRequest, longest: timedelta, at: datetime) -> bool:
    proven = factor_proven_at(request)
    return proven is not None and at - proven <= longest


def to_prove_anew(request: HttpRequest, person: Person) -> HttpResponse:
    """To the sign-in library's page for the kind of second factor that this person has, and back here."""
    kind = "mfa_reauthenticate" if "totp" in second_factors(person) else "mfa_reauthenticate_webauthn"
    answer: HttpResponse = suspend_request(request, reverse(kind))
    return answer
