# SPDX-License-Identifier: Apache-2.0
"""Look what would change; then make all of it so, or nothing."""

from dataclasses import dataclass

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from portineria.control.declaration.asked import plan_asked
from portineria.control.declaration.document import Declaration, Faulty
from portineria.control.declaration.groups import plan_groups
from portineria.control.declaration.machines import plan_machines, plan_plants
from portineria.control.declaration.people import plan_people
from portineria.control.declaration.plan import Plan, Work
from portineria.control.declaration.present import Present, look_up
from portineria.control.declaration.profiles import plan_profiles
from portineria.control.declaration.rules import plan_rules
from portineria.control.declaration.surroundings import plan_surroundings
from portineria.control.identity.authority import Actor, Operator
from portineria.control.identity.models import Person
from portineria.control.problem import DatabaseBusy
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.second_yes import MOST, SecondYes, ending, foreseen
from portineria.control.settings.start import current
from portineria.core.errors import Conflict, PortineriaError


class ChangedMeanwhile(Conflict):
    code = "declaration.changed"


@dataclass(frozen=True, slots=True)
class Proposal:
    declaration: Declaration
    administrator: str  # e-mail address of whoever acts
    by: Actor  # who lets people in, and is named in the register for it
    before_gateways: bool
    added: tuple[str, ...]
    changed: tuple[str, ...]
    waiting: tuple[str, ...]
    kept: tuple[str, ...]
    untouched: tuple[str, ...]
    ending: tuple[Session, ...] = ()  # that it would end, where they are more than go without a second yes

    @property
    def empty(self) -> bool:
        return not self.added and not self.changed

    @property
    def drifted(self) -> bool:
        """What is there besides is the organisation's own, and no drift."""
        return not self.empty or bool(self.waiting) or bool(self.kept)


def propose(
    declaration: Declaration, *, administrator: str = "", before_gateways: bool = False, by: Actor | None = None
) -> Proposal:
    """Rehearse everything and take it back. Raise Faulty with every fault that was found."""
    try:
        with transaction.atomic():
            present, plan = _plan(declaration, administrator, before_gateways, by or Operator())
            _carry_out(present, plan)
            ends = ending(present.organisation.pk, timezone.now())
            transaction.set_rollback(True)
    except OperationalError as error:
        raise DatabaseBusy(f"the server is busy, nothing was changed; try again ({error})") from error
    return Proposal(
        declaration=declaration,
        administrator=present.actor.email,
        by=plan.by,
        before_gateways=before_gateways,
        added=tuple(step.text for step in plan.steps if not step.changes),
        changed=tuple(step.text for step in plan.steps if step.changes),
        waiting=tuple(plan.waiting),
        kept=tuple(plan.kept),
        untouched=tuple(plan.untouched),
        ending=tuple(ends) if len(ends) > MOST else (),
    )


def hold(proposal: Proposal) -> None:
    """While somebody is asked whether those sessions may end, nothing new begins under their rules."""
    if proposal.ending:
        SecondYes(proposal.by, list(proposal.ending)).pause()


def carry_out(proposal: Proposal) -> dict[str, str]:
    """Exactly what was proposed, ending no other sessions than those. Return e-mail address → full address where a new
    person sets a password. Raise ChangedMeanwhile when it would be something else by now.
    """
    try:
        with transaction.atomic():
            present, plan = _plan(proposal.declaration, proposal.administrator, proposal.before_gateways, proposal.by)
            if sorted(plan.texts) != sorted((*proposal.added, *proposal.changed)):
                raise ChangedMeanwhile("somebody changed something meanwhile; nothing was applied, look again")
            invitations = foreseen(
                lambda: _carry_out(present, plan), actor=proposal.by, organisation=present.organisation.pk,
                confirmed=[row.public_id for row in proposal.ending],
            )  # fmt: skip
    except SecondYes as error:
        raise ChangedMeanwhile(f"it {error} by now; nothing was applied, look again") from error
    except OperationalError as error:
        raise DatabaseBusy(f"the server is busy, nothing was changed; try again ({error})") from error
    except IntegrityError as error:
        raise ChangedMeanwhile("somebody added the same meanwhile; nothing was applied, look again") from error
    return {email: current().public_url.rstrip("/") + path for email, path in invitations.items()}


def _plan(declaration: Declaration, administrator: str, before_gateways: bool, by: Actor) -> tuple[Present, Plan]:
    present, plan = look_up(declaration.organisation.name, administrator), Plan(by)
    plan_people(declaration, present, plan)
    plan_plants(declaration, present, plan)
    waiting = plan_machines(declaration, present, plan, before_gateways=before_gateways)
    plan_profiles(declaration, present, plan)
    plan_groups(declaration, present, plan)
    plan_asked(declaration, present, plan, waiting)
    plan_rules(declaration, present, plan, waiting)
    plan_surroundings(declaration, present, plan)
    if plan.faults:
        raise Faulty(plan.faults)
    return present, plan


def _carry_out(present: Present, plan: Plan) -> dict[str, str]:
    # A fresh row: services look at memberships as they are now.
    actor = Person.objects.get(pk=present.actor.pk)
    work = Work(actor=actor, by=plan.by, organisation=present.organisation.public_id, ids=present.ids())
    for step in plan.steps:
        try:
            step.act(work)
        except PortineriaError as error:
            raise Faulty([f"{step.place}: {error}"]) from error
    return work.invitations
