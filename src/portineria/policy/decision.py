# SPDX-License-Identifier: Apache-2.0
"""May this person reach this machine now? Pure and total: the same facts always give the same answer, with reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

from portineria.policy.approval import Level as ApprovalLevel
from portineria.policy.approval import complete
from portineria.policy.ending import BY_LOCK, Device, Ending, Locked, Reason, ending_of
from portineria.policy.recurrence import Recurrence
from portineria.policy.supplier_standing import UNASSESSED, Firm, Level, falls_short, stands_until
from portineria.policy.windows import ALWAYS, Schedule


@dataclass(frozen=True, slots=True)
class Standing:
    """What is true of the person, whatever they ask for. ``supplier_enabled`` is true for somebody without one.
    ``firm``: their supplier as it was assessed, of an AI agent that of whoever answers for it; None: they have none.
    ``member_until``: the end of their membership that was agreed; None: there is none.
    """

    person_enabled: bool
    member: bool
    supplier_enabled: bool
    second_factor: bool
    answered: bool = True  # of an AI agent: whoever answers for it is in good standing there
    firm: Firm | None = UNASSESSED
    member_until: datetime | None = None

    def longest(self, ends: datetime) -> datetime:
        """Of what ends then, how long this person has it."""
        return ends if self.member_until is None else min(ends, self.member_until)


@dataclass(frozen=True, slots=True)
class Attempt:
    at: datetime
    machine: str
    standing: Standing
    gateway_admitted: bool
    has_services: bool = True
    locks: frozenset[Locked] = frozenset()  # what of all that it goes through somebody has locked
    told: bool = True  # the person acknowledged the owner's notice; there is none; or it is about what runs already
    # Since the person proved a second factor to what asks; none for what runs already, and for what only looks.
    factor_age: timedelta = timedelta(0)
    device: Device = Device.KNOWN  # also for what only looks


@dataclass(frozen=True, slots=True)
class GrantFacts:
    """A permission given to this person. ``rule_holds``: the rule it came from still admits person and machine;
    ``schedule``: when that rule is open there; ``approved``: as many as the rule asks for said yes, and still may;
    ``recorded``: the machine is recorded, or the rule does not ask for it; ``ticket_holds``: so says the system that
    keeps tickets, or the rule does not ask for one, or nobody keeps them where we could ask. ``emergency``: the rule is
    an emergency role, behind which nobody's yes stands: to lose it is a matter of security. ``maintained``: the plant's
    people have put the machine into maintenance, or the rule does not ask for that. ``present``: every consent signal
    that it asks for says yes; ``settable``: whoever works could set one of them, so that it says nothing.
    ``in_group``: the person is in the group that the rule names, or it names none. ``paused_until``: nothing new begins
    before that, because a change of the rule waits for a second yes; for what runs already it is empty.
    ``trained``: the person confirmed every training that the rule asks for, and none is over by now. ``factor_within``:
    whoever begins proved a second factor no longer ago; None: whenever. ``needs_device``: from a computer that the
    owner knows. ``watched``: whoever the rule names to watch looks on, or did a moment ago; it names nobody; or
    somebody only looks at what they could begin. ``least_standing``: that the person's supplier has to have, if they
    are of one. ``levels``: of whom the rule wants a yes, where it says so; ``said``: whose it has, and who may still
    give it. ``lasts``: of work that was not begun: how long it goes on from now, when it begins now; ``ends`` is by
    when it may. ``closes``: when the maintenance that it asks for is over. ``recurs``: it is for these hours of every
    week alone.
    """

    id: str
    machine: str
    starts: datetime
    ends: datetime
    revoked: Ending | None
    rule_holds: bool
    schedule: Schedule = ALWAYS
    approved: bool = True
    recorded: bool = True
    ticket_holds: bool = True
    emergency: bool = False
    maintained: bool = True
    present: bool = True
    settable: bool = False
    in_group: bool = True
    paused_until: datetime | None = None
    trained: bool = True
    factor_within: timedelta | None = None
    needs_device: bool = False
    watched: bool = True
    least_standing: Level | None = None
    levels: tuple[ApprovalLevel, ...] = ()
    said: frozenset[int] = frozenset()
    lasts: timedelta | None = None
    closes: datetime | None = None
    recurs: Recurrence | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """``ends``: of the grant; of what is permitted, when the rule's window closes, the supplier's standing is over or
    the membership ends before that. ``emergency``: on the strength of an emergency role alone. ``begin_by``: where
    ``ends`` counts from now because nothing has begun: by when it may, and ``lasts``: how long, at most.
    ``comes_again``: what ends then comes another time by the same grant.
    """

    denials: tuple[Reason, ...]
    grant: str | None = None
    ends: datetime | None = None
    emergency: bool = False
    begin_by: datetime | None = None
    lasts: timedelta | None = None
    comes_again: bool = False

    @property
    def permitted(self) -> bool:
        return not self.denials

    @property
    def ending(self) -> Ending:
        """How a session that lost this permission ends."""
        return ending_of(self.denials)


def decide(attempt: Attempt, grants: Sequence[GrantFacts]) -> Decision:
    """Permit by the grant that lasts longest; otherwise report every reason of the grant that came closest.

    What was opened in an emergency comes before what somebody approved: it was opened because that did not do.
    """
    about_the_person = _standing_denials(attempt.standing, attempt.at)
    about_the_machine = _machine_denials(attempt)
    outside = about_the_person + about_the_machine
    if not grants:
        return Decision((*outside, Reason.NO_GRANT) if attempt.told else (*outside, Reason.NO_GRANT, Reason.NOTICE))
    # Ids break ties, so that the order of the rows never decides.
    return min((_judged(attempt, outside, grant) for grant in grants), key=itemgetter(0))[1]


_Rank = tuple[int, bool, float, str]


def _judged(attempt: Attempt, outside: tuple[Reason, ...], grant: GrantFacts) -> tuple[_Rank, Decision]:
    """The smallest rank comes first."""
    denials = outside + _grant_denials(attempt, grant)
    ends, begin_by = grant.ends, None
    if not denials:
        if grant.lasts is not None:
            begin_by = _holds_until(attempt, grant, grant.ends)
        ends = _holds_until(attempt, grant, grant.ends if grant.lasts is None else attempt.at + grant.lasts)
    decision = Decision(
        denials, grant=grant.id, ends=ends, emergency=grant.emergency, begin_by=begin_by,
        lasts=grant.lasts if begin_by else None, comes_again=grant.recurs is not None,
    )  # fmt: skip
    return (len(denials), not grant.emergency, -ends.timestamp(), grant.id), decision


def _holds_until(attempt: Attempt, grant: GrantFacts, longest: datetime) -> datetime:
    """What is permitted now is so no longer than all that the rule asks for."""
    occurrence = grant.recurs.at(attempt.at) if grant.recurs is not None else None
    longest = min(longest, grant.closes or longest, occurrence.ends if occurrence is not None else longest)
    longest = attempt.standing.longest(longest)
    stands = stands_until(grant.least_standing, attempt.standing.firm, longest)
    return grant.schedule.open_until(attempt.at, stands) or stands


def _standing_denials(standing: Standing, at: datetime) -> tuple[Reason, ...]:
    over = standing.member_until is not None and at >= standing.member_until
    checks = {
        Reason.PERSON_DISABLED: not standing.person_enabled,
        Reason.NO_MEMBERSHIP: not standing.member,
        Reason.MEMBERSHIP_OVER: over,
        Reason.SUPPLIER_DISABLED: not standing.supplier_enabled,
        Reason.SECOND_FACTOR: not standing.second_factor,
        Reason.NOBODY_ANSWERS: not standing.answered,
    }
    return tuple(reason for reason, refused in checks.items() if refused)


def _machine_denials(attempt: Attempt) -> tuple[Reason, ...]:
    checks = {
        Reason.GATEWAY_NOT_ADMITTED: not attempt.gateway_admitted,
        Reason.NOTHING_TO_REACH: not attempt.has_services,
    }
    locked = tuple(reason for kind, reason in BY_LOCK.items() if kind in attempt.locks)
    return (*(reason for reason, refused in checks.items() if refused), *locked)


def _grant_denials(attempt: Attempt, grant: GrantFacts) -> tuple[Reason, ...]:
    lost = grant.schedule.zone is None and (bool(grant.schedule.windows) or grant.recurs is not None)
    between = grant.recurs is not None and grant.recurs.at(attempt.at) is None
    checks = {
        Reason.OTHER_MACHINE: grant.machine != attempt.machine,
        Reason.REVOKED_FOR_SECURITY: grant.revoked is Ending.SECURITY,
        Reason.REVOKED: grant.revoked is Ending.ADMINISTRATIVE,
        Reason.NO_RULE: not grant.rule_holds and not grant.emergency,
        Reason.NO_EMERGENCY_ROLE: not grant.rule_holds and grant.emergency,
        Reason.NOT_RECORDED: not grant.recorded,
        Reason.NO_APPROVAL: not (grant.approved and complete(grant.levels, grant.said)),
        Reason.TICKET: not grant.ticket_holds,
        Reason.NOT_YET: attempt.at < grant.starts,
        Reason.EXPIRED: attempt.at >= grant.ends,
        Reason.TIME_ZONE_UNKNOWN: lost,
        Reason.OUTSIDE_WINDOWS: not lost and not grant.schedule.open_at(attempt.at),
        Reason.BETWEEN_TIMES: not lost and between,
        Reason.TRAINING: not grant.trained,
        Reason.SECOND_FACTOR_OLD: grant.factor_within is not None and attempt.factor_age > grant.factor_within,
        Reason.COMPANY_DEVICE: grant.needs_device and attempt.device is Device.NONE,
        Reason.DEVICE_REVOKED: attempt.device is Device.REVOKED,
        Reason.NOTICE: not attempt.told,
        Reason.MAINTENANCE: not grant.maintained,
        Reason.PRESENCE: not grant.present,
        Reason.PRESENCE_SETTABLE: grant.settable,
        Reason.NO_GROUP: not grant.in_group,
        Reason.CHANGE_WAITS: grant.paused_until is not None and attempt.at < grant.paused_until,
        Reason.NOT_WATCHED: not grant.watched,
        Reason.SUPPLIER_STANDING: falls_short(grant.least_standing, attempt.standing.firm, attempt.at),
    }
    return tuple(reason for reason, refused in checks.items() if refused)
