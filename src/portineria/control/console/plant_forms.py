# SPDX-License-Identifier: Apache-2.0
"""What the plant's people say of their machines."""

import zoneinfo
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portineria.control.console.forms import ReasonForm


class MaintenanceForm(ReasonForm):
    """``zone``: of the plant. The whole line can be named where the machine stands on one."""

    whole_line = forms.BooleanField(required=False)
    ends_at = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": 300}, format="%Y-%m-%dT%H:%M"),
        error_messages={"invalid": _("Please give day and time.")},
    )

    def __init__(self, *args: Any, zone: str, on_a_line: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone = zone
        if not on_a_line:
            del self.fields["whole_line"]

    def clean_ends_at(self) -> datetime | None:
        typed: datetime | None = self.cleaned_data["ends_at"]
        if typed is None:
            return None
        naive = timezone.make_naive(typed, timezone.get_current_timezone())
        return naive.replace(tzinfo=zoneinfo.ZoneInfo(self._zone))
