# SPDX-License-Identifier: Apache-2.0
"""What somebody proves who begins: said by whoever asks whether it would be allowed."""

from datetime import timedelta

from django import forms
from django.utils.translation import gettext_lazy as _

from portineria.control.access.facts import Beginning
from portineria.policy.ending import Device

_MOST = 7 * 24 * 60  # minutes: longer ago is as good as never


class BeginningForm(forms.Form):
    """Left as it is, everything is there that the person can bring along."""

    factor_minutes = forms.IntegerField(required=False, min_value=0, max_value=_MOST)
    device = forms.ChoiceField(
        required=False,
        choices=[
            (Device.KNOWN.value, _("a company device")),
            (Device.NONE.value, _("any other")),
            (Device.REVOKED.value, _("one that is no longer trusted")),
        ],
    )
    watched = forms.ChoiceField(required=False, choices=[("yes", _("looks on")), ("no", _("does not look on"))])

    def beginning(self) -> Beginning:
        given = self.cleaned_data
        return Beginning(
            timedelta(minutes=given["factor_minutes"] or 0),
            Device(given["device"] or Device.KNOWN),
            frozenset() if given["watched"] == "no" else None,
        )
