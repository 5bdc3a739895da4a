# SPDX-License-Identifier: Apache-2.0
"""Of whom a rule wants a yes, level after level. Whoever a level asks has to be allowed to approve as well: to be named
or in a group gives nobody a role. A rule without levels asks whoever approves there.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import starmap
from typing import Any, NamedTuple

from django.db.models import Prefetch, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from portineria.control.access.level import MOST_APPROVALS, MOST_LEVELS, MOST_NAMED, LevelPerson, OfWhom, RuleLevel
from portineria.control.access.models import Rule
from portineria.control.access.substitution import APPROVING
from portineria.control.identity.delegation_models import Delegation
from portineria.control.identity.models import Group, Membership, Person
from portineria.control.identity.services import BadField
from portineria.core.errors import Invalid, NotFound
from portineria.policy.approval import Level, filled

_NAMED = Prefetch("people", LevelPerson.objects.select_related("person"))
WITH_WHOM = RuleLevel.objects.select_related("group").prefetch_related(_NAMED)
LEVELS = Prefetch("levels", WITH_WHOM.order_by("number"))
LevelAsks = tuple[int, int, int, str, int | None]  # rule, number, how many it needs, of whom, one of these people
_OF = Coalesce("people__person", "group__members__membership__person")


@dataclass(frozen=True, slots=True)
class LevelTerms:
    """``group`` and ``people``: ids; neither: whoever approves there."""

    approvals: int = 1
    group: str = ""
    people: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As events and versions write it: how many, and ids."""
        return " ".join([str(self.approvals), *([self.group] if self.group else self.people)])


@dataclass(frozen=True, slots=True)
class Asked:
    """``needed`` of a group, or of these people; neither: of whoever approves there. They have ids and names."""

    needed: int
    group: Group | None = None
    people: tuple[Person, ...] = ()


class WhomRow(NamedTuple):
    """Of one person whom a level asks: themselves, or as one of its group. Or, ``number`` 0, of one who may say yes in
    an organisation: then ``key`` is that one, ``needed`` the membership, and ``word`` the role.
    """

    key: int  # of the rule
    number: int
    needed: int
    word: str  # OfWhom
    person: int | None
    other: int | None  # of the group; of an agent, whoever answers for it
    group_id: str | None
    group_name: str | None
    person_id: str | None
    name: str | None
    email: str | None


class AskedLevel(NamedTuple):
    """``level``: as policy takes it."""

    number: int
    asked: Asked
    level: Level


class TooFewApprovers(Invalid):
    """So many yeses that nobody could ever complete a level."""

    code = "access.rule.too-few"

    def __init__(self, short: "Short") -> None:
        super().__init__(f"level {short.number} needs {short.needed}, and {short.able} could say yes")
        self.values = {"level": short.number, "needed": short.needed, "able": short.able}


@dataclass(frozen=True, slots=True)
class Short:
    """A level, counted from 1, that cannot be completed: ``able`` could say yes who are not needed in one before."""

    number: int
    needed: int
    able: int


# -- reading ----------------------------------------------------------------------------------------------------


def levels_of(rules: Iterable[int]) -> dict[int, list[Level]]:
    """Rule → its levels as policy takes them, with whom they ask, whether they may approve or not."""
    return levels_in(whom_asked(set(rules)))


def whom_asked(rules: "Collection[int] | QuerySet[Any, Any]", *besides: Value) -> "QuerySet[RuleLevel, Any]":
    """Level after level, a row of ``LevelAsks`` for each of its people, and ``besides`` with each. A level has people
    or a group, so no row stands twice.
    """
    asking = RuleLevel.objects.filter(rule__in=rules)
    return asking.values_list("rule", "number", "approvals", "whom", _OF, *besides)


def levels_in(rows: Iterable[LevelAsks]) -> dict[int, list[Level]]:
    """Of rows of ``whom_asked`` in any order."""
    terms: dict[tuple[int, int], tuple[int, str]] = {}
    of: dict[tuple[int, int], set[int]] = defaultdict(set)
    for rule, number, needed, whom, person in rows:
        terms[rule, number] = needed, whom
        of[rule, number] |= {person} if person is not None else set()
    found: dict[int, list[Level]] = defaultdict(list)
    for (rule, number), (needed, whom) in sorted(terms.items()):
        asks = None if whom == OfWhom.ANYBODY else frozenset(of[rule, number])
        found[rule].append(Level(needed, asks))
    return found


def whom_named(rules: Collection[int]) -> "QuerySet[RuleLevel, tuple[Any, ...]]":
    """As ``whom_asked``, with their names: the columns of ``WhomRow``."""
    return RuleLevel.objects.filter(rule__in=rules).values_list(
        "rule", "number", "approvals", "whom", _OF, "group", "group__public_id", "group__name",
        "people__person__public_id", "people__person__name", "people__person__email",
    )  # fmt: skip


def named_in(rows: Iterable[WhomRow]) -> dict[int, list[AskedLevel]]:
    """Rule → its levels, of rows of ``whom_named`` in any order."""
    whom: dict[int, dict[int, list[WhomRow]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        whom[row.key][row.number].append(row)
    levels = levels_in(row[:5] for asked in whom.values() for of in asked.values() for row in of)
    return {
        rule: [
            AskedLevel(number, _asked_in(of), level)
            for (number, of), level in zip(sorted(asked.items()), levels[rule], strict=True)
        ]
        for rule, asked in whom.items()
    }


def _asked_in(rows: Sequence[WhomRow]) -> Asked:
    first = rows[0]
    if first.word == OfWhom.GROUP:
        group = Group(pk=first.other, public_id=first.group_id or "", name=first.group_name or "")
        return Asked(first.needed, group)
    people = sorted((one for one in rows if one.person is not None), key=lambda one: (one.name, one.person))
    return Asked(first.needed, None, tuple(person_in(one) for one in people))


def person_in(row: WhomRow) -> Person:
    """With what is known of them there."""
    answered_by = None if row.number else row.other
    return Person(
        pk=row.person,
        public_id=row.person_id or "",
        name=row.name or "",
        email=row.email or "",
        answered_by_id=answered_by,
    )


def levels_of_rule(rule: Rule) -> list[Asked]:
    """Whom it asks, level after level, in one query."""
    if not rule.level_count:
        return []
    found = named_in(starmap(WhomRow, whom_named([rule.pk])))
    return [one.asked for one in found.get(rule.pk, ())]


def level_rows(rule: Rule) -> list[RuleLevel]:
    """With their groups and people."""
    if not rule.level_count:
        return []
    return list(WITH_WHOM.filter(rule=rule).order_by("number"))


def terms_of(row: RuleLevel) -> LevelTerms:
    people = sorted((one.pk, one.person.public_id) for one in row.people.all())
    return LevelTerms(row.approvals, row.group.public_id if row.group else "", tuple(one for _, one in people))


def asked_of(row: RuleLevel) -> Asked:
    named = row.people.all() if row.whom == OfWhom.PEOPLE else ()
    people = sorted((one.person for one in named), key=lambda person: (person.name, person.pk))
    return Asked(row.approvals, row.group, tuple(people))


def level_terms(rule: Rule) -> tuple[LevelTerms, ...]:
    return tuple(terms_of(row) for row in level_rows(rule))


def levels_text(rule: Rule) -> str:
    """Empty where it has none: ``1 grp_a; 2 per_a per_b``."""
    return "; ".join(str(one) for one in level_terms(rule))


def able_in(organisation: int) -> set[int]:
    """People who may say yes there, by their role or by what was delegated to a provider."""
    return set(may_approve([organisation]).values_list("person", flat=True))


def may_approve(organisations: Collection[int], at: datetime | None = None) -> "QuerySet[Membership]":
    at = at or timezone.now()
    lasting = Q(delegation__ends_at__isnull=True) | Q(delegation__ends_at__gt=at)
    deciding = Q(lasting, delegation__decide=True, approves_there=True)
    return Membership.objects.filter(
        Q(role__in=APPROVING) | deciding, organisation__in=organisations, person__disabled_at__isnull=True
    )


def able_named(organisations: Collection[int], at: datetime) -> "QuerySet[Membership, tuple[Any, ...]]":
    """Likewise: the columns of ``WhomRow``."""
    return may_approve(organisations, at).values_list(
        "organisation", Value(0), "pk", "role", "person", "person__answered_by", Value(""), Value(""),
        "person__public_id", "person__name", "person__email",
    )  # fmt: skip


def short(rule: Rule) -> Short | None:
    """Of a rule that wants a yes: the first level that nobody could complete as things are."""
    if not rule.needs_approval:
        return None
    levels = levels_of([rule.pk])[rule.pk] if rule.level_count else [Level(rule.approvals)]
    return short_among(rule, levels, able_in(rule.organisation_id))


def short_among(rule: Rule, levels: Sequence[Level], able: Collection[int]) -> Short | None:
    counts = filled(levels, set(able) - {rule.person_id or 0})
    for number, (level, count) in enumerate(zip(levels, counts, strict=True), 1):
        if count < level.needed and not (level.of is None and _open_to_a_provider(rule.organisation_id)):
            return Short(number, level.needed, count)
    return None


def _open_to_a_provider(organisation: int) -> bool:
    """One that decides there may send anybody of its people to where whoever approves is asked."""
    lasting = Q(ends_at__isnull=True) | Q(ends_at__gt=timezone.now())
    return Delegation.objects.filter(lasting, organisation=organisation, decide=True).exists()


# -- writing ----------------------------------------------------------------------------------------------------


def set_levels(rule: Rule, wanted: Sequence[LevelTerms], approvals: int) -> None:
    """In their order; the rule is there already and is saved by the caller. Without one: ``approvals`` of whoever
    approves, which one level of these is as well. What is said already is left alone, whatever became of its people.

    Raise BadField, NotFound, TooFewApprovers.
    """
    first = next(iter(wanted), None)
    if first is not None and len(wanted) == 1 and not (first.group or first.people):
        wanted, approvals = [], first.approvals
    before = level_terms(rule)
    if tuple(wanted) == before and (before or rule.approvals == approvals):
        return
    _require_order(wanted)
    rule.approvals = sum(one.approvals for one in wanted) if wanted else approvals
    rule.level_count = len(wanted)
    require_approval(rule)
    rule.levels.all().delete()
    for number, one in enumerate(wanted, 1):
        _make(rule, number, one)
    if (missing := short(rule)) is not None:
        raise TooFewApprovers(missing)


def require_approval(rule: Rule) -> None:
    """Levels are of something that has to be approved."""
    if rule.level_count and not rule.needs_approval:
        raise BadField("approval_levels", "nobody has to approve", most=MOST_LEVELS)


def _require_order(wanted: Sequence[LevelTerms]) -> None:
    fit = all(
        1 <= one.approvals <= MOST_APPROVALS and len(one.people) <= MOST_NAMED and not (one.group and one.people)
        for one in wanted
    )
    asked = {(one.group, frozenset(one.people)) for one in wanted}
    if len(wanted) > MOST_LEVELS or len(asked) < len(wanted) or not fit:
        raise BadField("approval_levels", f"at most {MOST_LEVELS}, of different people", most=MOST_LEVELS)


def _make(rule: Rule, number: int, terms: LevelTerms) -> None:
    whom = OfWhom.GROUP if terms.group else OfWhom.PEOPLE if terms.people else OfWhom.ANYBODY
    made = RuleLevel.objects.create(
        rule=rule, number=number, approvals=terms.approvals, whom=whom, group=_group(rule, terms.group)
    )
    people = _people(rule, terms.people)
    LevelPerson.objects.bulk_create(LevelPerson(level=made, person=person) for person in people)


def _group(rule: Rule, group: str) -> Group | None:
    if not group:
        return None
    found = Group.objects.open().filter(organisation=rule.organisation_id, public_id=group).first()
    if found is None:
        raise NotFound(f"group {group}")
    return found


def _people(rule: Rule, people: Iterable[str]) -> list[Person]:
    wanted = list(dict.fromkeys(people))
    rows: QuerySet[Person] = Person.objects.get_queryset().filter(
        memberships__organisation=rule.organisation_id, public_id__in=wanted, is_service=False
    )
    found = {row.public_id: row for row in rows}
    if missing := [one for one in wanted if one not in found]:
        raise NotFound(f"person {missing[0]}")
    return [found[one] for one in wanted]
