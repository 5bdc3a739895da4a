# SPDX-License-Identifier: Apache-2.0
"""Entering how a supplier was assessed."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portineria.control.identity.standing_models import STANDING_TEXT

_YEAR = timedelta(days=365)


def _day() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


def _today() -> date:
    return timezone.now().date()


def standing_choices() -> list[tuple[str, str]]:
    """Of a rule: at least as good as this."""
    better = [(level, _("%(level)s or better") % {"level": level}) for level in "BCD"]
    return [("", _("none: also a supplier that was never assessed")), ("A", _("only A")), *better]


class AssessForm(forms.Form):
    """Days are those of UTC."""

    level = forms.ChoiceField(
        choices=[
            ("", "—"),
            ("A", gettext_lazy("A, the best")),
            ("B", "B"),
            ("C", "C"),
            ("D", gettext_lazy("D, the worst")),
        ]
    )
    assessed_by = forms.CharField(max_length=STANDING_TEXT, strip=True)
    assessed_on = forms.DateField(widget=_day(), initial=_today)
    valid_until = forms.DateField(widget=_day(), initial=lambda: _today() + _YEAR)
    assessment = forms.CharField(max_length=STANDING_TEXT, strip=True)

    @property
    def given(self) -> dict[str, Any]:
        """As the service takes it."""
        data = self.cleaned_data
        names = ("level", "assessed_by", "assessed_on", "valid_until")
        return {name: data[name] for name in names} | {"reference": data["assessment"]}
