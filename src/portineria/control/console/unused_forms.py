# SPDX-License-Identifier: Apache-2.0
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portineria.control.identity.models import Organisation
from portineria.control.identity.unused import UnusedDays

_DAYS = [(0, _("never")), *((days, str(days)) for days in (30, 60, 90, 180, 365))]


class UnusedDaysForm(forms.Form):
    supplied = forms.TypedChoiceField(coerce=int)
    own = forms.TypedChoiceField(coerce=int)
    programs = forms.TypedChoiceField(coerce=int)

    def __init__(self, data: Any, *, initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)
        for name, now in initial.items():
            field = self.fields[name]
            assert isinstance(field, forms.TypedChoiceField)  # noqa: S101  # as declared above
            field.choices = _DAYS if now in dict(_DAYS) else sorted([*_DAYS, (now, str(now))])

    @staticmethod
    def of(owner: Organisation) -> dict[str, int]:
        return {
            "supplied": owner.unused_days_supplied, "own": owner.unused_days_own,
            "programs": owner.unused_days_programs,
        }  # fmt: skip

    @property
    def given(self) -> UnusedDays:
        return UnusedDays(**self.cleaned_data)
