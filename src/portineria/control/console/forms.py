# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portineria.control.access.profiles import MARK_CHARACTERS
from portineria.control.console.long_select import LongSelect
from portineria.control.console.templatetags.console import minutes as length
from portineria.control.console.weekly_form import WeeklyFields
from portineria.control.estate.models import Plant
from portineria.control.remote_sessions.service_report import REMARKS_CHARACTERS
from portineria.core.time_zones import time_zones, zone_or_utc
from portineria.policy.ending import Locked
from portineria.policy.windows import TEXT

REASON_CHARACTERS = 500
_LENGTHS = (30, 60, 120, 240, 480, 720, 1440, 2880, 4320, 10080)  # minutes that people ask for


class ReasonForm(forms.Form):
    """For every act that ends or refuses something."""

    reason = forms.CharField(
        max_length=REASON_CHARACTERS,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": REASON_CHARACTERS}),
        error_messages={"required": _("Please say why; it is kept with the event.")},
    )


class DecisionForm(forms.Form):
    """A yes may come without words."""

    reason = forms.CharField(
        required=False,
        max_length=REASON_CHARACTERS,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 2, "maxlength": REASON_CHARACTERS}),
    )


class PlaceLockForm(ReasonForm):
    """Keep everybody from a plant, a zone or a line. The value is its kind and what ``access.locks`` calls it."""

    place = forms.ChoiceField(error_messages={"required": _("Please choose what to lock.")})

    def __init__(self, *args: Any, plants: list[Plant], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["place"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [("", "—"), *((plant.name, _places(plant)) for plant in plants)]

    @property
    def place_of(self) -> tuple[Locked, str]:
        kind, _, thing = self.cleaned_data["place"].partition(":")
        return Locked(kind), thing


def _places(plant: Plant) -> list[tuple[str, str]]:
    """Comes with its zones and lines."""
    whole = [(f"plant:{plant.public_id}", gettext("the whole plant %(name)s") % {"name": plant.name})]
    zones = [
        (f"zone:{plant.public_id}/{zone.name}", gettext("zone %(name)s") % {"name": zone.name})
        for zone in plant.zones.all()
    ]
    lines = [
        (f"line:{plant.public_id}/{line.name}", gettext("line %(name)s") % {"name": line.name})
        for line in plant.lines.all()
    ]
    return whole + zones + lines


class RemarksForm(forms.Form):
    """``text_sha256``: of the report as it was shown; remarks on another one count for nothing."""

    remarks = forms.CharField(
        required=False,
        max_length=REMARKS_CHARACTERS,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 4, "maxlength": REMARKS_CHARACTERS}),
    )
    text_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)


class SignForm(forms.Form):
    text_sha256 = forms.CharField(max_length=64, widget=forms.HiddenInput)


class ApprovalForm(DecisionForm):
    """``profile``: the mark of what the page showed; a yes to anything else counts for nothing."""

    profile = forms.CharField(required=False, max_length=MARK_CHARACTERS, widget=forms.HiddenInput)
    minutes = forms.TypedChoiceField(coerce=int, required=False, empty_value=None)
    narrower = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, asked: int, profiles: Iterable[str] = (), **kwargs: Any) -> None:
        """``asked``: for how many minutes; a yes may be to fewer. ``profiles``: what it may be narrowed to besides."""
        super().__init__(*args, **kwargs)
        narrower = self.fields["narrower"]
        assert isinstance(narrower, forms.ChoiceField)  # noqa: S101  # as declared above
        narrower.choices = [("", _("no: as was asked for")), *((name, name) for name in profiles)]
        field = self.fields["minutes"]
        assert isinstance(field, forms.TypedChoiceField)  # noqa: S101  # as declared above
        field.choices = sorted(length_choices(asked), reverse=True)


class HeldForm(forms.Form):
    """Yes or no to what a gateway holds: seconds count, so nothing has to be written."""

    allowed = forms.TypedChoiceField(choices=[("yes", "yes"), ("no", "no")], coerce=lambda said: said == "yes")


class DirectoryEndForm(DecisionForm):
    """Yes or no to the sessions of people whom a directory took out."""

    end = forms.TypedChoiceField(choices=[("yes", "yes"), ("no", "no")], coerce=lambda said: said == "yes")


class RevokeForm(ReasonForm):
    ending = forms.ChoiceField(
        choices=[
            ("administrative", _("Let what runs finish within the machine's finishing time")),
            ("security", _("Cut at once (security)")),
        ],
        initial="administrative",
        widget=forms.RadioSelect,
    )


def length_choices(most: int) -> list[tuple[int, str]]:
    lengths = [minutes for minutes in _LENGTHS if minutes < most] + [most] * (most > 0)
    return [(minutes, length(minutes)) for minutes in lengths]


class AskForm(WeeklyFields):
    """Ask to reach a machine. Times are those of ``zone``: the plant's, where whoever asks may know it."""

    reason = forms.CharField(
        max_length=REASON_CHARACTERS,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": REASON_CHARACTERS}),
        error_messages={"required": _("Please say what you want to do there.")},
    )
    minutes = forms.TypedChoiceField(coerce=int)
    starts_at = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": 300}, format="%Y-%m-%dT%H:%M"),
        error_messages={"invalid": _("Please give day and time.")},
    )

    reference = forms.CharField(
        max_length=60,
        required=False,
        strip=True,
        error_messages={"required": _("Please give the number of the ticket or work permit.")},
    )

    also = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(
        self, *args: Any, max_minutes: int, zone: str, needs_reference: bool = False,
        others: Iterable[tuple[str, str]] = (), reasons: Iterable[str] = (), needs_listed_reason: bool = False,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        """``others``: machines of the same organisation that may be asked for together; ``reasons``: to choose from."""
        super().__init__(*args, **kwargs)
        also = self.fields["also"]
        assert isinstance(also, forms.MultipleChoiceField)  # noqa: S101  # as declared above
        also.choices = list(others)
        self.fields["reference"].required = needs_reference
        if offered := list(reasons):
            self.fields["listed_reason"] = forms.ChoiceField(
                required=needs_listed_reason, choices=[("", "—"), *((one, one) for one in offered)],
                error_messages={"required": _("Please choose one of the reasons.")},
            )  # fmt: skip
        self.zone: tzinfo = zone_or_utc(zone)
        field = self.fields["minutes"]
        assert isinstance(field, forms.TypedChoiceField)  # noqa: S101  # as declared above
        field.choices = length_choices(max_minutes)
        self.initial.setdefault("minutes", min(120, max_minutes))

    def clean_starts_at(self) -> datetime | None:
        """What was typed is the time in the zone that the page names, whatever this process or the browser is in."""
        typed: datetime | None = self.cleaned_data["starts_at"]
        if typed is None:
            return None
        return timezone.make_naive(typed, timezone.get_current_timezone()).replace(tzinfo=self.zone)


class ExtendForm(forms.Form):
    minutes = forms.TypedChoiceField(coerce=int)

    def __init__(self, *args: Any, max_minutes: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["minutes"]
        assert isinstance(field, forms.TypedChoiceField)  # noqa: S101
        field.choices = length_choices(min(max_minutes, 480))


class PlantForm(forms.Form):
    plant = forms.ChoiceField()

    def __init__(self, *args: Any, plants: list[Plant], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["plant"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        field.choices = [(plant.public_id, plant.name) for plant in plants]


class AdmitForm(forms.Form):
    compared = forms.BooleanField(
        error_messages={"required": _("Compare both fingerprints first, then tick the box.")},
    )


class AccountForm(forms.Form):
    name = forms.CharField(max_length=120, strip=True, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    language = forms.ChoiceField(choices=[("", _("As the browser asks")), *settings.LANGUAGES], required=False)
    time_zone = forms.ChoiceField(widget=LongSelect, choices=lambda: [(name, name) for name in sorted(time_zones())])


class HoursForm(forms.Form):
    own_hours = forms.CharField(
        required=False, max_length=TEXT, widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"})
    )


class LanguageForm(forms.Form):
    language = forms.ChoiceField(choices=settings.LANGUAGES)
    next = forms.CharField(required=False)
