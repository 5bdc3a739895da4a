# SPDX-License-Identifier: Apache-2.0
"""When a browser's person last proved a second factor, and the way to prove it anew: one of this server, or the one of
their company where its word counts for that.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate, suspend_request
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from portineria.control.identity.factor_models import counting
from portineria.control.identity.models import SECOND_FACTORS, Person
from portineria.control.identity.queries import second_factors
from portineria.control.identity.said_factor import SaidFactor

FRESH = timedelta(minutes=2)  # long enough to come back from proving it, and to say yes
COMPANY = "company-factor"  # among the sign-in library's records of this browser
SET_UP, PROVE_IT = "mfa_index", "company_prove"  # where somebody goes who has shown none


def note_shown(request: HttpRequest, person: Person, provider: str, said: SaidFactor, *, again: bool = False) -> None:
    """In this browser. ``again``: whoever is signed in was asked for it, and it was proved since then."""
    at = said.at.timestamp() if said.at is not None else None
    record_authentication(request, person, COMPANY, provider=provider, proved_at=at, again=again or None)


def _by_company(request: HttpRequest, person: Person) -> list[dict[str, Any]]:
    """What was shown in this browser by providers whose word counts still."""
    found = [one for one in get_authentication_records(request, person) if one.get("method") == COMPANY]
    if not found or not person.has_provided_factor:
        return []
    rows = counting().filter(person=person, provider__public_id__in={one["provider"] for one in found})
    standing = set(rows.values_list("provider__public_id", flat=True))
    return [one for one in found if one["provider"] in standing]


def missing(request: HttpRequest, person: Person) -> str | None:
    """Where this browser's person goes before anything is open to them; None: they have shown a second factor. Whoever
    has one of their company's shows it in each browser: there it would otherwise take a password to make another.
    """
    if person.has_second_factor or _by_company(request, person):
        return None
    return PROVE_IT if person.has_provided_factor else SET_UP


def factor_proven_at(request: HttpRequest) -> datetime | None:
    """In this browser, since its sign-in. Neither a password given once more counts, nor a recovery code; and of what a
    provider says only the time of the proof, never that of the way back from there.
    """
    person = request.user
    found = [
        entry["at"]
        for entry in get_authentication_records(request, person)
        if entry.get("method") == "mfa" and entry.get("type") in SECOND_FACTORS
    ]
    if isinstance(person, Person):
        found += [entry["proved_at"] for entry in _by_company(request, person) if "proved_at" in entry]
    return datetime.fromtimestamp(max(found), tz=UTC) if found else None


def proven_within(request: HttpRequest, longest: timedelta, at: datetime) -> bool:
    proven = factor_proven_at(request)
    return proven is not None and at - proven <= longest


def proved_again(request: HttpRequest, at: datetime) -> bool:
    """A moment ago, when asked: by password or second factor of this server, or anew at the company's sign-in."""
    if did_recently_reauthenticate(request):
        return True
    person, longest = request.user, timedelta(seconds=settings.ACCOUNT_REAUTHENTICATION_TIMEOUT)
    again = [one for one in _by_company(request, person) if one.get("again")] if isinstance(person, Person) else []
    return any(at - datetime.fromtimestamp(one["proved_at"], tz=UTC) < longest for one in again)


def to_prove_anew(request: HttpRequest, person: Person) -> HttpResponse:
    """To the page for the kind of second factor that this person has, and back here."""
    kinds = second_factors(person)
    way = "mfa_reauthenticate" if "totp" in kinds else "mfa_reauthenticate_webauthn"
    answer: HttpResponse = suspend_request(request, reverse(way if person.has_second_factor else PROVE_IT))
    return answer
