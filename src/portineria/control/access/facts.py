# SPDX-License-Identifier: Apache-2.0
"""Rows into facts for policy, many at a time: the number of queries does not grow with the number of sessions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable

from portineria.control.access.around import Around, around
from portineria.control.access.company_devices import standings as standings_of_devices
from portineria.control.access.counted import APPROVED, NOTHING_SAID, Said, said_to
from portineria.control.access.grant_rows import grant_of, grant_statement
from portineria.control.access.models import AccessRequest, Grant, Rule
from portineria.control.access.naming import NAMED
from portineria.control.access.plant_state import PlantState, of_grant, plant_state
from portineria.control.access.recurring import times_of
from portineria.control.access.training_queries import untrained
from portineria.control.estate.models import Gateway, GatewayState, Machine, RecordingMode
from portineria.control.identity.models import GroupMember, Membership, Person
from portineria.control.identity.queries import own_standings, standings
from portineria.control.kept_query import KeptValues
from portineria.control.settings.start import current
from portineria.policy.decision import Attempt, Decision, GrantFacts, decide
from portineria.policy.decision import Standing as PersonStanding
from portineria.policy.ending import Device
from portineria.sinks.ticket import Standing

_RECENT = timedelta(days=1)


class Beginning(NamedTuple):
    """What whoever begins has proved: since when a second factor is proved, and what they begin from. ``watched``: keys
    of their grants for which whoever the rule names stands by to watch; None: of all.
    """

    factor_age: timedelta = timedelta(0)
    device: Device = Device.KNOWN
    watched: frozenset[int] | None = None


LOOKING = Beginning()  # for whoever only looks at what they could begin

# Of a grant or a request: its rule is still there, still names the machine, and still names the person or their firm.
# An emergency role names a plant, and somebody of the owner's own people unless it was given to a supplier's knowingly.
_HOLDS = Q(
    NAMED | Q(rule__emergency_plant=F("machine__plant")),
    Q(rule__emergency_plant__isnull=True)
    | Q(rule__emergency_guest=True)
    | Exists(
        Membership.objects.filter(
            person=OuterRef("person"), organisation=OuterRef("organisation"), supplier__isnull=True
        )
    ),
    Q(rule__person=F("person"))
    | Exists(Membership.objects.filter(person=OuterRef("person"), supplier=OuterRef("rule__supplier")))
    | Q(rule__group__isnull=False),
    rule__ended_at__isnull=True,
)

# Likewise: it names no group, or one that the person is in. Apart, for to leave a group ends otherwise than a rule.
_IN_GROUP = Q(rule__group__isnull=True) | Q(
    Exists(GroupMember.objects.filter(membership__person=OuterRef("person"), group=OuterRef("rule__group")))
)


# Of a grant: its rule asks for no ticket, or nobody keeps that ticket where we could ask, or it holds.
_TICKET = Q(rule__needs_reference=False) | Q(request__ticket_standing__in=("", Standing.HOLDS.value))

Standings = Mapping[tuple[int, int], PersonStanding]


def decisions(
    people_and_machines: Iterable[tuple[int, Machine]], at: datetime, standing_of: Standings | None = None,
    begins: Beginning = LOOKING, there: Around | None = None,
) -> dict[tuple[int, int], Decision]:  # fmt: skip
    """(person, machine) → may they reach it now? Machines come with ``plant`` and ``gateway`` loaded.

    ``standing_of`` and ``there``: what is known already of everybody concerned. ``begins``: where somebody does.
    """
    wanted = {(person, machine.pk): machine for person, machine in people_and_machines}
    # Of what ended long ago nobody needs to hear the reasons.
    rows = _grant_statement.all({person for person, _ in wanted}, {pk for _, pk in wanted}, at - _RECENT)
    given = [
        (row, machine, _Asked(*asked))
        for row, asked in map(grant_of, rows)
        if (machine := wanted.get((row.person_id, row.machine_id))) is not None
    ]
    besides = _besides([(row, machine) for row, machine, _ in given], at)
    grants: dict[tuple[int, int], list[GrantFacts]] = defaultdict(list)
    for row, machine, asked in given:
        watched = begins.watched is None or row.rule.watcher_id is None or row.pk in begins.watched
        facts = _facts_of(row, machine, asked, besides)
        grants[row.person_id, row.machine_id].append(replace(facts, watched=watched))
    attempts = attempts_of(wanted, at, begins, standing_of, there)
    return {key: decide(one, grants[key]) for key, one in attempts.items()}


def opened(person: Person, at: datetime) -> set[int]:
    """Keys of the machines that this person may reach now: nobody has more grants at once than can be judged here."""
    rows = Grant.objects.filter(person=person).live(at).select_related("rule", "machine__plant", "machine__gateway")
    grants = list(rows)
    asked = _asked_of([grant.pk for grant in grants])
    standing_of = own_standings(person, (grant.machine.plant.organisation_id for grant in grants))
    besides = _besides([(grant, grant.machine) for grant in grants], at)
    attempts = attempts_at({(person.pk, grant.machine_id): grant.machine for grant in grants}, at, standing_of)
    return {
        grant.machine_id
        for grant in grants
        if decide(
            attempts[person.pk, grant.machine_id],
            [_facts_of(grant, grant.machine, asked.get(grant.pk, _NOTHING), besides)],
        ).permitted
    }


def decision(person: Person, machine: Machine, at: datetime, begins: Beginning = LOOKING) -> Decision:
    return decisions([(person.pk, machine)], at, begins=begins)[person.pk, machine.pk]


def decisions_by_grant(
    grants: Iterable[Grant], at: datetime, standing_of: Standings | None = None, there: Around | None = None,
    said: Mapping[int, Said] | None = None,
) -> dict[int, Decision]:  # fmt: skip
    """Grant → what it opens by itself. They come with ``rule``, ``machine__plant`` and ``machine__gateway`` loaded.

    ``said``: to the request of each whose rule has levels, where the caller knows.
    """
    rows = list(grants)
    attempts = attempts_at({(row.person_id, row.machine_id): row.machine for row in rows}, at, standing_of, there)
    facts = _facts(rows, at, said=said)
    return {grant.pk: decide(attempts[grant.person_id, grant.machine_id], [one]) for grant, one in facts}


def prospects(requests: Iterable[AccessRequest], at: datetime) -> dict[int, Decision]:
    """Request → what a yes would open once its time has come. They come as the grants above do."""
    rows = list(requests)
    if not rows:  # as nearly always: the timer asks each second
        return {}
    attempts = attempts_at({(row.person_id, row.machine_id): row.machine for row in rows}, at)
    asked = AccessRequest.objects.filter(pk__in=[row.pk for row in rows])
    holding, grouped = _where(asked, _HOLDS), _where(asked, _IN_GROUP)
    return {
        row.pk: decide(
            # Whoever decides does not wait for the notice to be read: whoever begins does.
            replace(attempts[row.person_id, row.machine_id], told=True),
            [
                GrantFacts(
                    id=row.public_id,
                    machine=row.machine.public_id,
                    starts=at,
                    ends=at + timedelta(minutes=row.minutes),
                    revoked=None,
                    rule_holds=row.pk in holding and row.minutes <= row.rule.max_minutes,
                    recorded=recorded_there(row.rule, row.machine),
                    ticket_holds=not row.rule.needs_reference or row.ticket_standing in ("", Standing.HOLDS),
                    emergency=row.rule.emergency,
                    in_group=row.pk in grouped,
                )
            ],
        )
        for row in rows
    }


class Use(Protocol):
    """A session, which this app does not know. Its grant comes with ``rule`` and ``machine__plant`` loaded."""

    @property
    def pk(self) -> int: ...

    @property
    def grant(self) -> Grant: ...

    @property
    def gateway(self) -> Gateway: ...

    @property
    def company_device_id(self) -> int | None: ...

    @property
    def requested_at(self) -> datetime: ...

    @property
    def watched_at(self) -> datetime | None: ...


Judged = tuple[Attempt, GrantFacts]


def _as_it_is(use: Use, attempt: Attempt, facts: GrantFacts) -> Judged:
    return attempt, facts


def decisions_by_use(
    uses: Iterable[Use], at: datetime, seen: Callable[[Use, Attempt, GrantFacts], Judged] = _as_it_is
) -> dict[int, Decision]:
    """Use → is it still permitted? It lives by its own grant, whatever else its person was given, and by the gateway
    that it runs through, wherever the machine is now. ``seen``: as what its facts are looked at (``access.staying``).
    """
    rows = list(uses)
    grants = list({use.grant.pk: use.grant for use in rows}.values())
    wanted = {(grant.person_id, grant.machine_id): grant.machine for grant in grants}
    there = around((person, machine) for (person, _), machine in wanted.items())
    attempts = attempts_at(wanted, at, there=there)
    facts = {grant.pk: replace(facts, paused_until=None) for grant, facts in _facts(grants, at, running=True)}
    devices = standings_of_devices((use.company_device_id for use in rows), at)
    judged = {}
    for use in rows:
        attempt = replace(_through(use, attempts, there), device=devices[use.company_device_id])
        watched = replace(facts[use.grant.pk], watched=at <= watched_until(use))
        attempt, of_grant_ = seen(use, attempt, watched)
        judged[use.pk] = decide(attempt, [of_grant_])
    return judged


def watched_until(use: Use) -> datetime:
    """Until when it goes on if whoever its rule names does not look on again. Of a rule that names nobody: for ever."""
    if use.grant.rule.watcher_id is None:
        return datetime.max.replace(tzinfo=UTC)
    return max(use.requested_at, use.watched_at or use.requested_at) + timedelta(seconds=current().watch_grace_s)


def _through(use: Use, attempts: Mapping[tuple[int, int], Attempt], there: Around) -> Attempt:
    grant = use.grant
    return replace(
        attempts[grant.person_id, grant.machine_id],
        gateway_admitted=use.gateway.state == GatewayState.ADMITTED,
        locks=there.locked(grant.person_id, grant.machine, use.gateway.pk),
        told=True,  # it began under the notice of its time: a new one asks whoever begins anew
    )


def attempts_of(
    wanted: Mapping[tuple[int, int], Machine], at: datetime, begins: Beginning, standing_of: Standings | None = None,
    there: Around | None = None,
) -> dict[tuple[int, int], Attempt]:  # fmt: skip
    found = attempts_at(wanted, at, standing_of, there).items()
    return {key: replace(one, factor_age=begins.factor_age, device=begins.device) for key, one in found}


def attempts_at(
    wanted: Mapping[tuple[int, int], Machine], at: datetime, standing_of: Standings | None = None,
    there: Around | None = None,
) -> dict[tuple[int, int], Attempt]:  # fmt: skip
    if standing_of is None:
        standing_of = standings((person, machine.plant.organisation_id) for (person, _), machine in wanted.items())
    there = there or around((person, machine) for (person, _), machine in wanted.items())
    return {
        (person, machine_id): Attempt(
            at=at,
            machine=machine.public_id,
            standing=standing_of[person, machine.plant.organisation_id],
            gateway_admitted=machine.gateway.state == GatewayState.ADMITTED,
            has_services=machine_id in there.serving,
            locks=there.locked(person, machine, machine.gateway_id),
            told=(machine.plant.organisation_id, person) not in there.untold,
        )
        for (person, machine_id), machine in wanted.items()
    }


def _facts(
    grants: list[Grant], at: datetime, *, running: bool = False, said: Mapping[int, Said] | None = None
) -> list[tuple[Grant, GrantFacts]]:
    found = _asked_of([grant.pk for grant in grants])
    besides = _besides([(row, row.machine) for row in grants], at, running=running, said=said)
    return [(row, _facts_of(row, row.machine, found.get(row.pk, _NOTHING), besides)) for row in grants]


class _Besides(NamedTuple):
    """What the rules of some grants ask for besides: of the plant, and of the people."""

    state: PlantState
    lacking: set[tuple[int, int]]  # (rule, person) of those who have a training of the rule's to confirm
    said: Mapping[int, Said]  # request → who said yes, where its rule has levels


def _besides(
    given: Sequence[tuple[Grant, Machine]], at: datetime, *, running: bool = False,
    said: Mapping[int, Said] | None = None,
) -> _Besides:  # fmt: skip
    """Grants come with ``rule`` loaded."""
    state = plant_state((of_grant(grant, machine) for grant, machine in given), at, running=running)
    if said is None:
        said = said_to({grant.request_id: grant.rule_id for grant, _ in given if grant.rule.level_count})
    return _Besides(state, untrained(((grant.rule, grant.person_id) for grant, _ in given), at), said)


def _asked(condition: Q | Combinable) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False))


class _Asked(NamedTuple):
    """What the database says of a grant, in the order of ``_ASKED``."""

    holds: bool
    approved: bool
    ticket: bool
    grouped: bool


_ASKED = {"holds": _asked(_HOLDS), "stands": _asked(APPROVED), "ticket": _asked(_TICKET), "grouped": _asked(_IN_GROUP)}


_NOTHING = _Asked(holds=False, approved=False, ticket=False, grouped=False)
_asked_statement = KeptValues(
    lambda grants: Grant.objects.filter(pk__in=grants).annotate(**_ASKED).values_list("pk", *_ASKED).order_by()
)
_grant_statement = grant_statement(_ASKED)


def _asked_of(grants: Sequence[int]) -> dict[int, _Asked]:
    """By key; of a grant that is gone, nothing."""
    rows = _asked_statement.all(grants) if grants else ()
    return {pk: _Asked(*(bool(one) for one in asked)) for pk, *asked in rows}


def _facts_of(grant: Grant, machine: Machine, asked: _Asked, besides: _Besides) -> GrantFacts:
    maintained = besides.state.maintained_until(grant.rule, machine)
    consent = besides.state.consent(*of_grant(grant, machine))
    said = besides.said.get(grant.request_id, NOTHING_SAID)
    return GrantFacts(
        id=grant.public_id,
        machine=machine.public_id,
        **times_of(grant, machine),
        closes=maintained,
        revoked=grant.revoked,
        rule_holds=asked.holds,
        approved=asked.approved,
        levels=said.levels,
        said=said.by,
        ticket_holds=asked.ticket,
        recorded=recorded_there(grant.rule, machine),
        emergency=grant.rule.emergency,
        schedule=grant.rule.schedule_at(machine.plant.time_zone),
        maintained=maintained is not None,
        present=consent.given,
        settable=bool(consent.settable),
        in_group=asked.grouped,
        paused_until=grant.rule.paused_until,
        trained=(grant.rule_id, grant.person_id) not in besides.lacking,
        factor_within=factor_within(grant.rule),
        needs_device=grant.rule.needs_device,
        least_standing=grant.rule.least_level,
    )


def factor_within(rule: Rule) -> timedelta | None:
    return timedelta(minutes=rule.factor_minutes) if rule.factor_minutes else None


def recorded_there(rule: Rule, machine: Machine) -> bool:
    """What an emergency role opens is recorded whatever the machine says."""
    return rule.emergency or not rule.needs_recording or machine.recording != RecordingMode.NONE


def _where(rows: QuerySet[Any], holds: Q) -> set[int]:
    return set(rows.filter(holds).values_list("pk", flat=True))
