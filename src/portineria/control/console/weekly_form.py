# SPDX-License-Identifier: Apache-2.0
"""The same hours of every week, as people choose them: days, two times, a last day."""

from datetime import time
from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext_lazy as _

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ASKED = ("days", "day_begins", "day_ends", "until")


class WeeklyFields(forms.Form):
    """Leaves ``weekly``, as ``policy.windows`` reads one window, and ``until``; empty where nothing of it was given."""

    days = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple,
        choices=[(day, WEEKDAYS_ABBR[number]) for number, day in enumerate(_DAYS)],
    )  # fmt: skip
    day_begins = forms.TimeField(required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    day_ends = forms.TimeField(required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    until = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))

    @property
    def asks_weekly(self) -> bool:
        return self.is_bound and any(self.data.get(name) for name in _ASKED)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        days, begins, ends = (given.pop(name, None) for name in _ASKED[:3])
        found = [bool(days), begins is not None, ends is not None, given.get("until") is not None]
        if any(found) and not all(found) and not self.errors:
            raise forms.ValidationError(_("For every week give the days, from when to when, and the last day."))
        given["weekly"] = f"{','.join(days)} {begins:%H:%M}-{_end(ends)}" if all(found) else ""
        return given


def _end(ends: time) -> str:
    return "24:00" if ends == time() else f"{ends:%H:%M}"
