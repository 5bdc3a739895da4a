# SPDX-License-Identifier: Apache-2.0
"""What people call things, to find the events about them: events hold ids, which keep no names."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import Q, QuerySet

from portineria.control.audit import words
from portineria.control.console import texts
from portineria.control.estate import queries as estate
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Person
from portineria.core.errors import Invalid
from portineria.core.ids import Kind, is_id

KINDS = {"person": Kind.PERSON, "machine": Kind.MACHINE, "supplier": Kind.SUPPLIER, "gateway": Kind.GATEWAY}
OFFERED = 20
MOST_CALLED_SO = 50
MOST_MENTIONED = 300  # names that one word of a search may stand for: each costs 0.1 ms
_MOST_PEOPLE = 300  # of one supplier


class NobodyCalledSo(Invalid):
    code = "event.name.none"


class TooManyCalledSo(Invalid):
    code = "event.name.many"


def _rows(actor: Person, kind: str) -> "QuerySet[Any]":
    reads: dict[str, Callable[[Person], QuerySet[Any]]] = {
        "person": identity.people, "machine": estate.machines, "supplier": identity.suppliers,
        "gateway": estate.gateways, "plant": estate.plants,
    }  # fmt: skip
    return reads[kind](actor)


def _fitting(actor: Person, kind: str, typed: str) -> "QuerySet[Any]":
    rows = _rows(actor, kind)
    for word in typed.split()[: words.QUERY_WORDS]:
        more = Q(email__icontains=word) if kind == "person" else Q(tag__icontains=word) if kind == "machine" else Q()
        rows = rows.filter(Q(name__icontains=word) | more)
    return rows


def offered(actor: Person, kind: str, typed: str) -> list[str]:
    """Names for whoever is typing one, each once."""
    names = _fitting(actor, kind, typed).values_list("name", flat=True)[: OFFERED * 2]
    return list(dict.fromkeys(names))[:OFFERED]


def called(actor: Person, kind: str, typed: str) -> dict[str, str]:
    """Id → name of those that are called so, or have what was typed in their name. Raise Invalid for none and many.

    An id is taken as it is: who is no member any more has events all the same.
    """
    if is_id(typed, KINDS[kind]):
        return {typed: dict(_rows(actor, kind).filter(public_id=typed).values_list("public_id", "name")).get(typed, "")}
    fitting = _fitting(actor, kind, typed).values_list("public_id", "name")
    found = dict(fitting[: MOST_CALLED_SO + 1])
    exactly = {public_id: name for public_id, name in found.items() if name.casefold() == typed.casefold()}
    if not found:
        raise NobodyCalledSo(f"{kind} {typed!r}")
    if len(found) > MOST_CALLED_SO and not exactly:
        raise TooManyCalledSo(f"{kind} {typed!r}")
    return exactly or found


def people_of(actor: Person, suppliers: Iterable[str]) -> list[str]:
    rows = identity.members(actor).filter(supplier__public_id__in=list(suppliers))
    return list(rows.values_list("person__public_id", flat=True)[:_MOST_PEOPLE])


def zone_of(actor: Person, machines: Sequence[str], gateways: Sequence[str]) -> str:
    """That of the one plant where all of these stand; empty where there is none."""
    zones: set[str] = set()
    for ids, read in ((machines, estate.machines), (gateways, estate.gateways)):
        if ids:
            zones |= set(read(actor).filter(public_id__in=ids).values_list("plant__time_zone", flat=True))
    return zones.pop() if len(zones) == 1 else ""


class Mentioned:
    """For each word of a search the ids of things whose names hold it, and the kinds of event that are called so.

    Whose name holds all the words comes first: of three hundred presses the one that was named is always among them.
    """

    def __init__(self, actor: Person, wanted: Sequence[str]) -> None:
        self.too_many: list[str] = []  # words that stand for more names than are looked for
        self._ids: dict[str, list[str]] = defaultdict(list)
        looked_for = [word for word in wanted if "_" not in word]
        whole = _names(actor, looked_for, all_of_them=True) if len(looked_for) > 1 else {}
        for public_id, name in (whole | _names(actor, looked_for)).items():
            folded = " ".join(words.words(name))
            for word in looked_for:
                if word in folded:
                    self._ids[word].append(public_id)
        if not 0 < len(whole) <= MOST_MENTIONED:
            self.too_many = [word for word in looked_for if len(self._ids[word]) > MOST_MENTIONED]
        self._codes = {word: _codes_called(word) for word in wanted}

    def term(self, word: str) -> frozenset[str]:
        return frozenset([word, *self._ids[word][:MOST_MENTIONED], *map(words.of_code, self._codes[word])])

    def people(self) -> set[str]:
        return {public_id for ids in self._ids.values() for public_id in ids if public_id.startswith("per_")}


def _names(actor: Person, looked_for: Sequence[str], *, all_of_them: bool = False) -> dict[str, str]:
    """Id → name of what has one of these words in its name, or all of them."""
    if not looked_for:
        return {}
    named = [Q(name__icontains=word) for word in looked_for]
    wanted = reduce(and_ if all_of_them else or_, named)
    parts = [
        _rows(actor, kind).filter(wanted).order_by().values_list("public_id", "name") for kind in (*KINDS, "plant")
    ]
    return dict(parts[0].union(*parts[1:], all=True)[: MOST_MENTIONED * (len(looked_for) + 1)])


def _codes_called(word: str) -> list[str]:
    """In the reader's language, or by the code's own words."""
    if len(word) < 2:
        return []
    return [code for code in texts.event_codes() if word in words.words(code) or word in words.words(texts.event(code))]
