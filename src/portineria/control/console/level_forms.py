# SPDX-License-Identifier: Apache-2.0
"""Who has to approve, level after level, as somebody writes it into a rule."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portineria.control.access.level import MOST_APPROVALS, MOST_LEVELS, MOST_NAMED
from portineria.control.access.levels import Asked, LevelTerms
from portineria.control.access.models import Rule
from portineria.control.console.rule_words import LevelWords, whom_asked

NUMBERS = range(1, MOST_LEVELS + 1)
FURTHER = NUMBERS[1:]


def _count(number: int) -> str:
    return "approvals" if number == 1 else f"approvals_{number}"


def _people_field() -> forms.CharField:
    return forms.CharField(required=False, max_length=MOST_NAMED * 256)  # addresses, apart by commas


class LevelsForm(forms.Form):
    """The first level is always there; one of whoever approves is the rule without levels."""

    approvals = forms.TypedChoiceField(coerce=int, initial=1)
    group_1 = forms.ChoiceField(required=False)
    people_1 = _people_field()
    approvals_2 = forms.TypedChoiceField(coerce=int, required=False)
    group_2 = forms.ChoiceField(required=False)
    people_2 = _people_field()
    approvals_3 = forms.TypedChoiceField(coerce=int, required=False)
    group_3 = forms.ChoiceField(required=False)
    people_3 = _people_field()
    choices: dict[str, list[tuple[Any, str]]]

    def member(self, text: str) -> str:
        """The id of who is called so. Raise ValidationError."""
        raise NotImplementedError

    def _named(self, field: str) -> list[str]:
        return [self.member(text) for text in self.cleaned_data[field].replace(",", " ").split()]

    def clean_people_1(self) -> list[str]:
        return self._named("people_1")

    def clean_people_2(self) -> list[str]:
        return self._named("people_2")

    def clean_people_3(self) -> list[str]:
        return self._named("people_3")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for number in NUMBERS:
            group, people = cleaned.get(f"group_{number}"), cleaned.get(f"people_{number}")
            if group and people:
                self.add_error(f"people_{number}", _("Choose a group, or name people; one of these."))
            if (group or people) and not cleaned.get(_count(number)) and number > 1:
                self.add_error(_count(number), _("Say how many of them have to approve."))
        further = any(cleaned.get(_count(number)) for number in FURTHER)
        if cleaned.get("approvals") == 0 and (further or cleaned.get("group_1") or cleaned.get("people_1")):
            self.add_error("approvals", _("Nobody has to approve here, and yet somebody is asked: say how many."))
        return cleaned

    @property
    def levels(self) -> tuple[LevelTerms, ...]:
        data = self.cleaned_data
        return tuple(
            LevelTerms(data[_count(number)], data[f"group_{number}"], tuple(data[f"people_{number}"]))
            for number in NUMBERS
            if data[_count(number)]
        )

    def level_words(self) -> list[LevelWords]:
        """As far as they are filled in; nothing where they are of whoever approves."""
        data: dict[str, Any] = getattr(self, "cleaned_data", {})
        found, only = [], True
        for number in NUMBERS:
            group, people = data.get(f"group_{number}", ""), data.get(f"people_{number}", ())
            if count := data.get(_count(number)):
                only = only and not group and not people
                names = self.data.get(f"people_{number}", "").replace(",", " ").split() if people else []
                group = dict(self.choices["group_1"]).get(group, "") if group else ""
                found.append(LevelWords(count, whom_asked(group, names)))
        return [] if only and len(found) < 2 else found


def level_choices(groups: Iterable[tuple[str, str]], levels: Iterable[Asked]) -> dict[str, list[tuple[Any, str]]]:
    """``groups``: id and name of those that are offered; ``levels``: that the rule has already."""
    offered = dict(groups)
    kept = [level.group for level in levels]
    offered |= {group.public_id: group.name for group in kept if group is not None}  # a closed one as well
    whom = [("", _("whoever approves")), *offered.items()]
    counts = [(count, people(count)) for count in range(MOST_APPROVALS + 1)]
    found: dict[str, list[tuple[Any, str]]] = {"approvals": counts}
    for number in NUMBERS:
        found[f"group_{number}"] = list(whom)
    for number in FURTHER:
        found[_count(number)] = [("", _("no further level")), *counts[1:]]
    return found


def people(count: int) -> str:
    if not count:
        return _("nobody: open as soon as somebody asks")
    return ngettext("%(count)d person", "%(count)d different people", count) % {"count": count}


def level_initial(rule: Rule, levels: Iterable[Asked]) -> dict[str, Any]:
    """What the form begins with. ``levels``: the rule's."""
    if not rule.level_count:
        return {"approvals": rule.approvals if rule.needs_approval else 0}
    found: dict[str, Any] = {}
    for number, asked in enumerate(levels, 1):
        found[_count(number)] = asked.needed
        found[f"group_{number}"] = asked.group.public_id if asked.group is not None else ""
        found[f"people_{number}"] = ", ".join(person.email for person in asked.people)
    return found
