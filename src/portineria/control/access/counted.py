# SPDX-License-Identifier: Apache-2.0
"""Which yeses count: of whoever may still give them, each person once, and for the levels that a rule has."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Now
from django.db.models.lookups import GreaterThanOrEqual

from portineria.control.access.levels import levels_in, whom_asked
from portineria.control.access.models import AccessRequest, Approval, Grant, RequestQuerySet, RequestState
from portineria.control.access.profiles import mark_of
from portineria.control.access.substitution import APPROVING, STAFF, Substitution
from portineria.control.identity.models import Membership, Person
from portineria.control.kept_query import KeptValues
from portineria.policy.approval import Level, asked, filled


def _at(person: str, roles: list[str]) -> Exists:
    there = Membership.objects.filter(
        person=OuterRef(person), organisation=OuterRef("request__organisation"), role__in=roles
    )
    return Exists(there)


# Of an analyst: deciding is delegated still, and who is behind them still decides at the provider.
_DELEGATED = Membership.objects.filter(
    Q(delegation__ends_at__isnull=True) | Q(delegation__ends_at__gt=Now()),
    person=OuterRef("decided_by"), organisation=OuterRef("request__organisation"), delegation__decide=True,
    approves_there=True,
)  # fmt: skip

# For an approver who may still give it, and whom nobody took it from.
_LENT = Q(
    _at("substitution__approver", APPROVING),
    _at("decided_by", STAFF),
    substitution__ended_at__isnull=True,
    substitution__approver__disabled_at__isnull=True,
)

# A yes of somebody who may still give it: by their own role, as a provider's analyst, or for an approver.
_STANDS = Q(
    Q(_at("decided_by", APPROVING)) | Q(Exists(_DELEGATED)) | _LENT,
    approved=True,
    counts=True,
    decided_by__disabled_at__isnull=True,
)
_YES = Approval.objects.filter(_STANDS)
_WHOSE = Case(When(_LENT, then=F("substitution__approver")), default=F("decided_by"))
YES_OF = Case(When(_STANDS, then=_WHOSE))  # of an answer: whose yes it is; nobody's where it does not count


def _counted(request: str) -> Subquery:
    of_request = _YES.filter(request=OuterRef(request)).order_by()
    return Subquery(of_request.values("request").annotate(count=Count("decided_by")).values("count"))


# Of a grant: its rule asks for nobody's yes, or as many as it asks for gave theirs and may still give it there.
APPROVED = Q(rule__needs_approval=False) | GreaterThanOrEqual(Coalesce(_counted("request"), 0), F("rule__approvals"))


class Said(NamedTuple):
    """``levels``: of the rule, none where it has none. ``by``: whose yes there is, by key; of a substitute's the
    approver's. Only where there are levels.
    """

    levels: tuple[Level, ...] = ()
    by: frozenset[int] = frozenset()

    @property
    def missing(self) -> int:
        return sum(level.needed for level in self.levels) - sum(filled(self.levels, self.by))

    @property
    def number(self) -> int:
        """Of the level that is asked now, from 1 on. 0: it has no levels, or all are complete."""
        found = asked(self.levels, self.by)
        return 0 if found is None else found + 1

    @property
    def place(self) -> dict[str, int]:
        """Of a yes that is said now, as it is kept with it."""
        return {"level": self.number, "of_levels": len(self.levels) if self.number else 0}

    @property
    def asked(self) -> Level | None:
        return self.levels[self.number - 1] if self.number else None


NOTHING_SAID = Said()


Told = tuple[int, int, int, str, int | None]  # request or rule, number, how many, mark or whom, one of these people
Lent = tuple[int, int, int]  # organisation, approver, and the one request that it is for; 0: whatever comes


def said_to(requests: Mapping[int, int], marks: Mapping[int, str] | None = None) -> dict[int, Said]:
    """Request → what was said to it. ``requests``: with the rule of each, which has levels. ``marks``: of those that
    wait: a yes to another mark does not count for them.
    """
    if not requests:
        return {}
    return _said(requests, _TOLD.all(requests.keys(), set(requests.values())), marks or {})


def said_and_lent(
    requests: Mapping[int, int], marks: Mapping[int, str], to: Person, at: datetime
) -> tuple[dict[int, Said], set[Lent]]:
    """As ``said_to``; and for whom this person stands in. In one query."""
    if not requests:
        return {}, set()
    told = _told(requests.keys(), set(requests.values())).union(_lent(to.pk, at), all=True)
    return said_and_lent_in(requests, marks, told)


def said_and_lent_in(
    requests: Mapping[int, int], marks: Mapping[int, str], rows: Iterable[Told]
) -> tuple[dict[int, Said], set[Lent]]:
    """Likewise, of rows of ``told_where``."""
    told = list(rows)
    places = {(row[0], row[4], row[2]) for row in told if row[1] == _LENT_TO and row[4] is not None}
    return _said(requests, told, marks), places


def told_where(
    waiting: RequestQuerySet, to: int, at: datetime, *besides: Value
) -> "tuple[QuerySet[Any], QuerySet[Any], QuerySet[Any]]":
    """Of what waits under rules with levels: who said yes, whom the levels ask; and for whom this person stands in.
    With each row ``besides``.
    """
    return (
        _yeses(waiting.values("pk"), *besides),
        whom_asked(waiting.values("rule"), *besides),
        _lent(to, at, *besides),
    )


# What stands in place of a level's number, which is 1 or more.
_YES_SAID, _LENT_TO = 0, -1


def _told(requests: Collection[int], rules: Collection[int]) -> "QuerySet[Any, Told]":
    """Who said yes, and whom the levels ask, in one query."""
    return _yeses(requests).union(whom_asked(rules), all=True)


_TOLD = KeptValues(_told)


def _yeses(requests: "Iterable[int] | QuerySet[Any, Any]", *besides: Value) -> "QuerySet[Approval, Any]":
    yeses = _YES.filter(request__in=requests).order_by()
    return yeses.values_list("request", Value(_YES_SAID), Value(0), "mark", _WHOSE, *besides)


def _lent(to: int, at: datetime, *besides: Value) -> "QuerySet[Substitution, Any]":
    lent = Substitution.objects.lent(at).filter(substitute=to).order_by()
    return lent.values_list("organisation", Value(_LENT_TO), Coalesce("request", 0), Value(""), "approver", *besides)


def _said(requests: Mapping[int, int], told: Iterable[Told], marks: Mapping[int, str]) -> dict[int, Said]:
    people: dict[int, set[int]] = defaultdict(set)
    asks: list[Told] = []
    for row in told:
        request, number, _, mark, person = row
        if number > 0:
            asks.append(row)
        elif number == _YES_SAID and person is not None and marks.get(request, mark) == mark:
            people[request].add(person)
    levels = levels_in(asks)
    return {
        request: Said(tuple(levels.get(rule, ())), frozenset(people[request])) for request, rule in requests.items()
    }


def said_so_far(requests: Iterable[AccessRequest]) -> dict[int, Said]:
    """Request → what was said to it; of those whose rule has no levels, nothing. They come with rule and profile."""
    rows = [row for row in requests if row.rule.level_count]
    marks = {row.pk: mark_of(row.rule) for row in rows if row.state == RequestState.PENDING}
    return said_to({row.pk: row.rule_id for row in rows}, marks)


def said_in(request: AccessRequest, levels: Iterable[Level], answers: Iterable[Approval]) -> Said:
    """As ``said_to_one``, where its levels are known and its answers came with ``yes_of``."""
    mark = mark_of(request.rule) if request.state == RequestState.PENDING else None
    yeses = {row.__dict__["yes_of"] for row in answers if mark is None or row.mark == mark}
    return Said(tuple(levels), frozenset(yeses - {None}))


def said_to_one(request: AccessRequest) -> Said:
    return said_so_far([request]).get(request.pk, NOTHING_SAID)


def approvals_missing(request: AccessRequest) -> int:
    """How many more people have to say yes; who may not say it any more is not counted."""
    if request.rule.level_count:
        return said_to_one(request).missing
    given = AccessRequest.objects.filter(pk=request.pk).values_list(Coalesce(_counted("pk"), 0), flat=True)
    return max(0, request.rule.approvals - (given.first() or 0))


def approvals_standing(grants: Iterable[int]) -> dict[int, int]:
    """Grant → how many said yes to it, and still may; of a rule with levels how many places of these are taken."""
    rows = Grant.objects.filter(pk__in=set(grants)).values_list(
        "pk", "request", "rule", "rule__level_count", Coalesce(_counted("request"), 0)
    )
    found = list(rows)
    said = said_to({request: rule for _, request, rule, levels, _ in found if levels})
    return {
        pk: sum(filled(said[request].levels, said[request].by)) if levels else int(count or 0)
        for pk, request, _, levels, count in found
    }
