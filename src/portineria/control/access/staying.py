# SPDX-License-Identifier: Apache-2.0
"""Work that goes on although a directory took its person out, while somebody is asked or because somebody said so.

What a stay overlooks is what that very change took away, and only as long as nothing else took it away as well: a rule
that was changed since, an account that was closed here or erased, a group that was shut again, one approval less.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import F, Max, Q

from portineria.control.access.counted import approvals_standing
from portineria.control.access.facts import Judged, Use, decisions_by_use
from portineria.control.access.models import Grant, RuleVersion
from portineria.control.access.naming import NAMED
from portineria.control.identity.directory_models import DirectoryEntry
from portineria.control.identity.models import Supplier
from portineria.policy.decision import Attempt, Decision, GrantFacts
from portineria.policy.ending import Reason
from portineria.policy.supplier_standing import Firm

_PERSON = frozenset({Reason.PERSON_DISABLED, Reason.NO_MEMBERSHIP})
_RULE = frozenset({Reason.NO_RULE, Reason.NO_EMERGENCY_ROLE})
# What a directory can take from work that runs. Anything else ends it, whoever is asked about it.
COVERED = _PERSON | _RULE | {Reason.NO_GROUP, Reason.NO_APPROVAL, Reason.NOBODY_ANSWERS}


@dataclass(frozen=True, slots=True)
class Stayed:
    """``version``: of the rule; ``approvals``: how many still counted, right after the change."""

    since: datetime
    reasons: frozenset[Reason]
    version: int
    approvals: int


def versions(rules: Iterable[int]) -> dict[int, int]:
    """Rule → the number of what it says now."""
    rows = RuleVersion.objects.filter(rule__in=set(rules)).order_by().values("rule").annotate(newest=Max("number"))
    return {row["rule"]: row["newest"] for row in rows}


def decisions_with_stays(uses: Iterable[Use], at: datetime, stays: Mapping[int, Stayed]) -> dict[int, Decision]:
    """As ``decisions_by_use``. ``stays``: use → what it is spared. One query more each only where there are some."""
    rows = list(uses)
    spared = [use for use in rows if use.pk in stays]
    if not spared:
        return decisions_by_use(rows, at)
    since = _Since(spared)

    def seen(use: Use, attempt: Attempt, facts: GrantFacts) -> Judged:
        stay = stays.get(use.pk)
        if stay is None:
            return attempt, facts
        return _overlooking(since.overlooked(use, stay), since.as_it_was(use, attempt), facts)

    return decisions_by_use(rows, at, seen)


class _Since:
    """What became of the things that stays rest on."""

    def __init__(self, spared: list[Use]) -> None:
        grants = [use.grant for use in spared]
        self._versions = versions(grant.rule_id for grant in grants)
        self._approvals = approvals_standing(grant.pk for grant in grants)
        placed = Grant.objects.filter(
            NAMED | Q(rule__emergency_plant=F("machine__plant")),
            pk__in={grant.pk for grant in grants}, rule__ended_at__isnull=True,
        )  # fmt: skip
        self._placed = set(placed.values_list("pk", flat=True))
        entries = DirectoryEntry.objects.filter(closed=True, person__erased_at__isnull=True)
        these = Grant.objects.filter(pk__in={grant.pk for grant in grants})
        self._answering = dict(these.values_list("pk", "person__answered_by"))
        people = {grant.person_id for grant in grants} | set(self._answering.values())
        self._closed = set(entries.filter(person__in=people - {None}).values_list("person", "organisation"))
        shut = these.filter(rule__group__closed_at__isnull=False)
        self._shut = dict(shut.values_list("pk", "rule__group__closed_at"))
        asking = [grant.rule.supplier_id for grant in grants if grant.rule.least_standing and grant.rule.supplier_id]
        firms = Supplier.objects.filter(pk__in=set(asking)) if asking else ()
        self._firms: dict[int | None, Firm] = {row.pk: row.firm for row in firms}

    def as_it_was(self, use: Use, attempt: Attempt) -> Attempt:
        """Whoever is no member any more is of no supplier either: the one that their rule names is judged still."""
        firm = self._firms.get(use.grant.rule.supplier_id)
        if firm is None or attempt.standing.member:
            return attempt
        return replace(attempt, standing=replace(attempt.standing, firm=firm))

    def overlooked(self, use: Use, stay: Stayed) -> frozenset[Reason]:
        grant, found = use.grant, set(stay.reasons)
        if (grant.person_id, grant.organisation_id) not in self._closed:
            found -= _PERSON
        if (self._answering.get(grant.pk), grant.organisation_id) not in self._closed:
            found.discard(Reason.NOBODY_ANSWERS)
        if self._versions.get(grant.rule_id) != stay.version or grant.pk not in self._placed:
            found -= _RULE
        shut = self._shut.get(grant.pk)
        if shut is not None and shut > stay.since:
            found.discard(Reason.NO_GROUP)
        if self._approvals.get(grant.pk, 0) < stay.approvals:
            found.discard(Reason.NO_APPROVAL)
        return frozenset(found)


def _overlooking(reasons: frozenset[Reason], attempt: Attempt, facts: GrantFacts) -> Judged:
    standing = attempt.standing
    standing = replace(
        standing,
        person_enabled=standing.person_enabled or Reason.PERSON_DISABLED in reasons,
        member=standing.member or Reason.NO_MEMBERSHIP in reasons,
        answered=standing.answered or Reason.NOBODY_ANSWERS in reasons,
    )
    facts = replace(
        facts,
        rule_holds=facts.rule_holds or bool(_RULE & reasons),
        in_group=facts.in_group or Reason.NO_GROUP in reasons,
        approved=facts.approved or Reason.NO_APPROVAL in reasons,
        levels=() if Reason.NO_APPROVAL in reasons else facts.levels,
    )
    return replace(attempt, standing=standing), facts
