# SPDX-License-Identifier: Apache-2.0
"""What somebody asks the register for. Names are typed, not chosen: a list of ten thousand machines helps nobody."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portineria.control.console import event_names
from portineria.control.console.texts.events import kinds
from portineria.control.identity.models import Person
from portineria.control.problem import problem_of
from portineria.core.errors import Invalid
from portineria.core.ids import Kind, is_id
from portineria.core.time_zones import zone_or_utc

TEXT_CHARACTERS = 200
_NAME_CHARACTERS = 120
_TOO_LONG = {"max_length": _("Nothing was searched: this is too long.")}


def _day() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


def _name() -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", "maxlength": _NAME_CHARACTERS})
    return forms.CharField(
        required=False, max_length=_NAME_CHARACTERS, strip=True, widget=widget, error_messages=_TOO_LONG
    )


class EventFilter(forms.Form):
    """Names become ids (id → name); days become moments, ``since`` and ``before``, in ``zone``."""

    text = forms.CharField(
        required=False, max_length=TEXT_CHARACTERS, strip=True, error_messages=_TOO_LONG,
        widget=forms.TextInput(attrs={"type": "search", "maxlength": TEXT_CHARACTERS, "autocomplete": "off"}),
    )  # fmt: skip
    person, machine, supplier, gateway = _name(), _name(), _name(), _name()
    session = forms.CharField(required=False, max_length=24, strip=True)
    code = forms.ChoiceField(required=False)
    since = forms.DateField(required=False, widget=_day())
    before = forms.DateField(required=False, widget=_day())

    def __init__(self, data: Any, *, actor: Person, called: Callable[..., dict[str, str]] = event_names.called) -> None:
        super().__init__(data)
        self.actor = actor
        self._called = called
        self.zone: tzinfo = zone_or_utc(actor.time_zone)
        field = self.fields["code"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [("", _("Everything")), *kinds()]

    def clean_session(self) -> str:
        given = str(self.cleaned_data["session"])
        if given and not is_id(given, Kind.SESSION):
            raise forms.ValidationError(_("This is not the id of a session."))
        return given

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        for kind in event_names.KINDS:
            if found.get(kind):
                found[kind] = self._named(kind, found[kind])
        placed = [list(found.get(kind) or ()) for kind in ("machine", "gateway")]
        if (found.get("since") or found.get("before")) and (zone := event_names.zone_of(self.actor, *placed)):
            self.zone = zone_or_utc(zone)
        last: date | None = found.get("before")
        self.days = (found.get("since"), last)
        found["since"] = self._midnight(found.get("since"))
        # The day that was chosen as the last one belongs to it.
        found["before"] = self._midnight(last + timedelta(days=1)) if last and last < date.max else None
        return found

    def _named(self, kind: str, typed: str) -> dict[str, str]:
        try:
            return self._called(self.actor, kind, typed)
        except Invalid as error:
            self.add_error(kind, problem_of(error).detail)
        return {}

    def _midnight(self, day: date | None) -> datetime | None:
        return timezone.make_aware(datetime.combine(day, time.min), self.zone) if day else None

    @property
    def narrows(self) -> bool:
        return not self.is_valid() or any(self.cleaned_data.values())

    def address(self) -> str:
        """What is asked for, as the page's address says it; nothing besides."""
        given = {name: str(self.data.get(name, "")).strip() for name in self.fields}
        return urlencode({name: value for name, value in given.items() if value})
