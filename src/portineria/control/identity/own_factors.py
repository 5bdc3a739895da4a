# SPDX-License-Identifier: Apache-2.0
"""Where people change their own second factors: the sign-in library's pages, each change in the ledger with it.

What changed is seen in the table, before and after: the library tells of some changes only, and after its commit.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path

from portineria.control.identity.models import Person
from portineria.control.identity.services import record_for_person, revoke_tokens

View = Callable[..., HttpResponse]
_KINDS = {Authenticator.Type.RECOVERY_CODES: "recovery-codes"}  # the others are called as in the library


def recorded(view: View) -> View:
    """The change, its events and the end of the tokens that stand on what was removed, in one transaction."""

    @wraps(view)
    def changing(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        person = request.user
        if request.method != "POST" or not isinstance(person, Person):
            return view(request, *args, **kwargs)
        with transaction.atomic():
            Person.objects.select_for_update(no_key=True).get(pk=person.pk)
            before = _factors(person)
            answer = view(request, *args, **kwargs)
            _record_changes(person, before, _factors(person))
        return answer

    return changing


def _factors(person: Person) -> dict[int, tuple[str, str]]:
    """Row → kind, and the name that its owner gave it."""
    rows = Authenticator.objects.filter(user=person).order_by("pk")
    return {row.pk: (_KINDS.get(row.type, row.type), str(row.data.get("name", ""))) for row in rows}


def _record_changes(person: Person, before: dict[int, tuple[str, str]], after: dict[int, tuple[str, str]]) -> None:
    added = [after[row][0] for row in after.keys() - before.keys()]
    removed = [before[row][0] for row in before.keys() - after.keys()]
    renamed = [after[row][0] for row in after.keys() & before.keys() if after[row] != before[row]]
    replaced = {"recovery-codes"} & set(added)  # new codes in the place of the old ones: one act
    changes = {"added": added, "removed": [kind for kind in removed if kind not in replaced], "renamed": renamed}
    for what, kinds in changes.items():
        for kind in sorted(kinds):
            record_for_person(f"identity.second-factor.{what}", person, kind=kind)
    if changes["removed"]:
        revoke_tokens(person)  # they were issued to somebody who proved that factor


urlpatterns = [
    path("totp/activate/", recorded(totp.activate_totp)),
    path("totp/deactivate/", recorded(totp.deactivate_totp)),
    path("recovery-codes/generate/", recorded(recovery_codes.generate_recovery_codes)),
    path("webauthn/add/", recorded(webauthn.add_webauthn)),
    path("webauthn/keys/<int:pk>/remove/", recorded(webauthn.remove_webauthn)),
    path("webauthn/keys/<int:pk>/edit/", recorded(webauthn.edit_webauthn)),
]
