# SPDX-License-Identifier: Apache-2.0
"""Writing the lists of reasons: one of the organisation, and one of each plant that wants its own."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext as _

from portineria.control.access.reason import MOST_REASONS, REASON_TEXT
from portineria.control.estate.models import Plant

_CHARACTERS = (REASON_TEXT + 2) * MOST_REASONS


class ReasonsForm(forms.Form):
    """One reason on each line. ``there``: plant's id → its list, the organisation's under the empty text."""

    def __init__(self, *args: Any, plants: list[Plant], there: Mapping[str, list[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._names = {"": _("Everywhere"), **{plant.public_id: plant.name for plant in plants}}
        self._there = there
        for place in self._names:
            self.fields[_field(place)] = forms.CharField(
                required=False, max_length=_CHARACTERS, initial="\n".join(there.get(place, ())),
                widget=forms.Textarea(attrs={"rows": 6 if not place else 3}),
            )  # fmt: skip

    def changed(self) -> dict[str, list[str]]:
        """What is to be kept of those lists that are others now."""
        lines = {place: self.cleaned_data[_field(place)].splitlines() for place in self._names}
        wanted = {place: [line.strip() for line in found if line.strip()] for place, found in lines.items()}
        return {place: found for place, found in wanted.items() if found != self._there.get(place, [])}

    def places(self) -> list[tuple[str, BoundField]]:
        return [(name, self[_field(place)]) for place, name in self._names.items()]


def _field(place: str) -> str:
    return place or "everywhere"
