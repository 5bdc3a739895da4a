# SPDX-License-Identifier: Apache-2.0
"""Delegating to a provider."""

from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portineria.control.console.texts.powers import POWERS
from portineria.control.identity.delegation_models import Delegation, Power
from portineria.control.identity.models import Organisation

_WHEN = "%Y-%m-%dT%H:%M"
_HOURS: dict[int, "str | Promise"] = {
    0: _("not granted"), 4: _("4 hours"), 8: _("8 hours"), 24: _("24 hours"), 72: _("72 hours"),
}  # fmt: skip


class DelegationForm(forms.Form):
    """Times are those of whoever asks, as their account says."""

    organisation = forms.ChoiceField()
    provider = forms.CharField(
        max_length=24, strip=True, error_messages={"required": _("Please give the number that the provider told you.")}
    )
    powers = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, error_messages={"required": _("Please choose at least one thing.")}
    )
    ends_at = forms.DateTimeField(
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_WHEN),
        error_messages={"invalid": _("Please give a day and a time.")},
    )
    incident_hours = forms.TypedChoiceField(coerce=int, initial=0)

    def __init__(self, *args: Any, organisations: list[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered: dict[str, list[tuple[Any, Any]]] = {
            "organisation": [(row.public_id, row.name) for row in organisations],
            "powers": [(power.value, text) for power, text in POWERS.items()],
            "incident_hours": list(_HOURS.items()),
        }
        for name, choices in offered.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
            field.choices = choices

    def given(self) -> dict[str, Any]:
        said = self.cleaned_data
        return said | {"powers": [Power(value) for value in said["powers"]]}


def as_it_is(row: Delegation) -> dict[str, Any]:
    """For changing it."""
    return {
        "organisation": row.organisation.public_id, "provider": row.provider.public_id,
        "powers": [power.value for power in row.powers], "ends_at": row.ends_at if not row.withdrawn_at else None,
        "incident_hours": row.incident_hours,
    }  # fmt: skip
