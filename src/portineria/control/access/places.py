# SPDX-License-Identifier: Apache-2.0
"""Places of rules by the words that people and files write, and who sets them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import F, Prefetch, Q, QuerySet, Value

from portineria.control.access.models import Rule, RulePlace
from portineria.control.access.place import KINDS, MOST_PLACES, OfferedPlace, place_text
from portineria.control.estate.models import Label, Line, Plant, Zone
from portineria.control.identity.models import Organisation
from portineria.control.identity.services import BadField
from portineria.core.errors import NotFound

_LOADED = RulePlace.objects.select_related("plant", "zone__plant", "line__plant", "label").order_by("pk")
PLACES = Prefetch("places", _LOADED)


def offered(owner: Organisation) -> Mapping[str, list[tuple[str, OfferedPlace]]]:
    """Every place that a rule of this organisation may name, by its text: two where names with a stroke collide. One
    query.
    """
    kinds: tuple[tuple[QuerySet[Any], str, F | Value], ...] = (
        (Plant.objects.filter(organisation=owner), "name", Value("")),
        (Zone.objects.filter(plant__organisation=owner), "name", F("plant__name")),
        (Line.objects.filter(plant__organisation=owner), "name", F("plant__name")),
        (Label.objects.filter(organisation=owner), "word", Value("")),
    )
    rows = [
        named.order_by().values_list(Value(rank), "pk", F(name), plant)
        for rank, (named, name, plant) in enumerate(kinds)
    ]
    found: dict[str, list[tuple[str, OfferedPlace]]] = defaultdict(list)
    for rank, key, name, plant in sorted(rows[0].union(*rows[1:], all=True), key=_by_plant):
        place = OfferedPlace(key, name, plant)
        found[place_text(KINDS[rank], place)].append((KINDS[rank], place))
    return found


def _by_plant(row: tuple[int, int, str, str]) -> tuple[int, str, str]:
    rank, _, name, plant = row
    return rank, plant, name


def set_places(rule: Rule, texts: Iterable[str]) -> None:
    """These and no others. Raise BadField for what is none, or one of two."""
    wanted = list(dict.fromkeys(" ".join(text.split()) for text in texts))
    if len(wanted) > MOST_PLACES:
        raise BadField("places", f"at most {MOST_PLACES}", place="")
    there = offered(rule.organisation) if wanted else {}
    for text in wanted:
        if len(there.get(text, ())) != 1:
            raise BadField("places", f"no place {text!r}, or several", place=text[:250])
    rule.places.all().delete()
    found = [there[text][0] for text in wanted]
    RulePlace.objects.bulk_create(RulePlace(rule=rule, **{f"{kind}_id": place.key}) for kind, place in found)


def require_something(rule: Rule) -> None:
    """Raise NotFound where it names nothing at all."""
    if not rule.machines.exists() and not rule.places.exists():
        raise NotFound("machines of a rule")


def places_text(rule: Rule) -> str:
    """As an event says it."""
    return ", ".join(str(place) for place in _LOADED.filter(rule=rule))


def called(word: str) -> "QuerySet[RulePlace]":
    """Those that somebody who searches for this word may mean."""
    kinds = Q(plant__name__icontains=word) | Q(zone__name__icontains=word) | Q(line__name__icontains=word)
    return RulePlace.objects.filter(kinds | Q(label__word__icontains=word))
