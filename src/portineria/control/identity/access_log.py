# SPDX-License-Identifier: Apache-2.0
"""Which events say that somebody came, went or was not let in; who administered an organisation; how long that is kept.

The register loses no event. What could be lost are names and addresses in it, when a person is erased.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.utils import timezone

from portineria.control.audit.models import Event
from portineria.control.identity.models import Role
from portineria.core.errors import Conflict
from portineria.ledger import leaf as leaves

# Garante per la protezione dei dati personali, 27 November 2008, 2.f: six months at least; six of 31 days are 186.
KEPT = timedelta(days=186)
ENTERED = (
    "identity.person.signed-in", "identity.token.issued", "identity.api-token.used",
    "remote_sessions.session.requested", "identity.delegation.entered",
)  # fmt: skip
LEFT = (
    "identity.person.signed-out", "identity.browsers.signed-out", "identity.token.revoked",
    "identity.api-token.revoked", "session.ended",
)  # fmt: skip
FAILED = (
    "identity.person.sign-in-failed", "identity.second-factor.failed", "identity.sign-in.refused", "order.refused",
)  # fmt: skip
_GIVEN = ("identity.person.created", "identity.membership.added", "identity.membership.vouched")


class AccessesKept(Conflict):
    code = "identity.erase.accesses"


def administrators(organisation: str, before: datetime) -> frozenset[str]:
    """Ids of everybody who had been made an administrator by then; whoever is one no more did what they did."""
    rows = Event.objects.filter(organisation=organisation, code__in=_GIVEN, at__lt=before)
    return frozenset(event.person for event in rows.only("leaf", "person") if _administers(event))


def check_may_be_forgotten(person: str, organisations: Collection[str]) -> None:
    """Raise AccessesKept: whoever administers cannot erase that they did, before the time it has to be kept is over."""
    mine = Event.objects.filter(organisation__in=organisations, actor=person)
    if any(_administers(row) for row in _given(person, organisations)) and mine.filter(
        code__in=[*ENTERED, *LEFT, *FAILED], at__gte=timezone.now() - KEPT
    ).exists():  # fmt: skip
        raise AccessesKept(f"{person} administered; their accesses of the last {KEPT.days} days are kept")


def _given(person: str, organisations: Collection[str]) -> list[Event]:
    return list(Event.objects.filter(organisation__in=organisations, code__in=_GIVEN, person=person))


def _administers(event: Event) -> bool:
    return bool(leaves.decode(bytes(event.leaf))["fields"].get("role") == Role.ADMINISTRATOR.value)
