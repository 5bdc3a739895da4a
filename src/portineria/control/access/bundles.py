# SPDX-License-Identifier: Apache-2.0
"""One piece of work on several machines: asked for at once, one request for each, decided each or all together.

Every request stands under a rule of its own, with its own profile and its own end. All that they share is an id.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from django.db import transaction

from portineria.control.access.deciding import OtherLevel
from portineria.control.access.models import AccessRequest, AlreadyDecided, RequestState
from portineria.control.access.queries import visible_machine
from portineria.control.access.services import agree, make_request, refuse
from portineria.control.access.substituting import AsksThem, hand_over, locked_handed
from portineria.control.access.substitution import Substitution
from portineria.control.identity.models import Person
from portineria.control.identity.services import BadField
from portineria.core.errors import NotFound, PortineriaError
from portineria.core.ids import Kind, new_id

MOST_MACHINES = 10


@transaction.atomic
def make_requests(
    *, actor: Person, machines: Sequence[str], reason: str, minutes: int, starts_at: datetime | None = None,
    reference: str = "", listed_reason: str = "", weekly: str = "", until: date | None = None,
) -> list[AccessRequest]:  # fmt: skip
    """All, or none: what stands in the way of one of them stands in the way of the work. Raise as ``make_request``."""
    wanted = list(dict.fromkeys(machines))
    if not 1 <= len(wanted) <= MOST_MACHINES:
        raise BadField("machines", f"1 to {MOST_MACHINES}", most=MOST_MACHINES)
    owners = {visible_machine(actor, machine).machine.plant.organisation_id for machine in wanted}
    if len(owners) > 1:
        raise BadField("machines", "of one organisation", most=MOST_MACHINES)
    bundle = new_id(Kind.BUNDLE) if len(wanted) > 1 else ""
    return [
        make_request(
            actor=actor, machine=machine, reason=reason, minutes=minutes, starts_at=starts_at, reference=reference,
            bundle=bundle, listed_reason=listed_reason, weekly=weekly, until=until,
        )
        for machine in sorted(wanted)
    ]  # fmt: skip


@transaction.atomic
def agree_to_all(
    *, actor: Person, bundle: str, seen: Mapping[str, str], reason: str = "", minutes: int | None = None
) -> list[AccessRequest]:
    """A yes to each that ``seen`` names and that waits, or to none of them.

    ``seen``: request → the mark (``profiles.mark_of``) that the page showed. Raise as ``agree``.
    """
    rows = _locked(actor, bundle, seen)
    for row in rows:
        agree(
            actor=actor, request=row.public_id, reason=reason, profile=seen[row.public_id],
            minutes=min(minutes, row.minutes) if minutes is not None else None,
        )  # fmt: skip
    return rows


@transaction.atomic
def refuse_all(*, actor: Person, bundle: str, reason: str) -> list[AccessRequest]:
    rows = _locked(actor, bundle, None)
    for row in rows:
        refuse(actor=actor, request=row.public_id, reason=reason)
    return rows


@transaction.atomic
def hand_over_all(*, actor: Person, bundle: str, substitute: str) -> list[Substitution]:
    """Each that waits for the actor's own yes and does not ask that colleague already. Raise as ``hand_over``, where it
    is none.
    """
    made = list[Substitution]()
    refusal: PortineriaError = AlreadyDecided(f"nothing of {bundle} waits")
    rows = _locked(actor, bundle, None)
    locked_handed(actor, rows)
    for row in rows:
        try:
            made.append(hand_over(actor=actor, request=row.public_id, substitute=substitute))
        except (AlreadyDecided, AsksThem, OtherLevel) as error:
            refusal = error
    if not made:
        raise refusal
    return made


def _locked(actor: Person, bundle: str, named: Mapping[str, str] | None) -> list[AccessRequest]:
    """Every row before the first event locks the ledger, in the order in which everybody locks them."""
    rows = AccessRequest.objects.visible_to(actor).exclude(bundle="").filter(bundle=bundle)
    if not rows.exists():
        raise NotFound(f"bundle {bundle}")
    waiting = rows.filter(state=RequestState.PENDING)
    if named is not None:
        waiting = waiting.filter(public_id__in=list(named))
    locked = waiting.select_for_update(of=("self",), no_key=True).order_by("organisation_id", "pk")
    return list(locked)
