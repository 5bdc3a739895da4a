# SPDX-License-Identifier: Apache-2.0
"""What the plant's people say of their machines."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portineria.control.access.signal import NAME, PLACE, SignalSourceKind
from portineria.control.access.signals import Where
from portineria.control.console.forms import ReasonForm
from portineria.control.console.texts import signals as words
from portineria.control.estate.models import Machine
from portineria.core.time_zones import zone_or_utc


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
        return naive.replace(tzinfo=zone_or_utc(self._zone))


class SignalForm(forms.Form):
    """Of one machine, or of the line that it stands on. What its source does not need is left empty."""

    kind = forms.ChoiceField(choices=list(words.KINDS.items()))
    name = forms.CharField(max_length=NAME, strip=True)
    whole_line = forms.BooleanField(required=False)
    source = forms.ChoiceField(choices=list(words.SOURCES.items()))
    file_name = forms.CharField(required=False, max_length=64, strip=True)
    address = forms.CharField(required=False, max_length=45, strip=True)
    port = forms.IntegerField(required=False, min_value=1, max_value=65535)
    unit = forms.IntegerField(required=False, min_value=0, max_value=255)
    number = forms.IntegerField(required=False, min_value=0, max_value=65535)
    node = forms.CharField(required=False, max_length=PLACE, strip=True)
    inverted = forms.BooleanField(required=False)

    def __init__(self, *args: Any, machine: Machine, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._machine = machine
        if machine.line is None:
            del self.fields["whole_line"]

    @property
    def given(self) -> dict[str, Any]:
        """As the service takes it."""
        data, machine = self.cleaned_data, self._machine
        usual = 4840 if data["source"] == SignalSourceKind.NODE else 502
        where = Where(
            data["source"], data["address"], data["port"] or usual, data["unit"] or 0, data["number"] or 0,
            data["file_name"] if data["source"] == SignalSourceKind.FILE else data["node"], data["inverted"],
        )  # fmt: skip
        place = {"machine": machine.public_id}
        if data.get("whole_line") and machine.line is not None:
            place = {"line": f"{machine.plant.public_id}/{machine.line.name}", "gateway": machine.gateway.public_id}
        return {"kind": data["kind"], "name": data["name"], "where": where} | place


class KindsField(forms.MultipleChoiceField):
    """Kinds of consent signals that a rule asks for; ``usual`` of a new rule: what its machines have."""

    USUAL = "usual"

    def __init__(self) -> None:
        super().__init__(
            required=False, choices=list(words.KINDS.items()), widget=forms.CheckboxSelectMultiple, initial=[self.USUAL]
        )

    def offer_usual(self) -> None:
        usual = _("all that its machines have, where something may be changed")
        self.choices = [(self.USUAL, usual), *words.KINDS.items()]

    @classmethod
    def taken(cls, chosen: list[str]) -> str | None:
        """As the services take it: None for what is usual."""
        return None if cls.USUAL in chosen else " ".join(chosen)
