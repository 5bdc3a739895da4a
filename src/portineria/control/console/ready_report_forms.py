# SPDX-License-Identifier: Apache-2.0
"""What a ready report is asked for: of which organisation, from when to when, of whom."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portineria.control.identity.access_log import KEPT
from portineria.control.identity.models import Organisation, Person
from portineria.core.time_zones import zone_or_utc


def _day() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class ListForm(forms.Form):
    """Left out, the organisation is the first one."""

    organisation = forms.ChoiceField(required=False)

    def __init__(self, data: Any, *, organisations: list[Organisation]) -> None:
        super().__init__(data)
        self.organisations = {row.public_id: row for row in organisations}
        field = self.fields["organisation"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [(row.public_id, row.name) for row in organisations]

    @property
    def chosen(self) -> Organisation:
        first = next(iter(self.organisations.values()))
        return self.organisations.get(self.cleaned_data.get("organisation", ""), first)


class AccessListForm(ListForm):
    """Left out, the days are the time for which accesses have to be kept, until today."""

    since = forms.DateField(required=False, widget=_day())
    before = forms.DateField(required=False, widget=_day())
    who = forms.ChoiceField(
        required=False, choices=[("", _("Administrators")), ("everybody", _("Everybody who signed in"))]
    )

    def span(self, actor: Person) -> tuple[datetime, datetime]:
        """Midnights by the reader's clock; the last day belongs to it. Only of a form that is valid."""
        zone = zone_or_utc(actor.time_zone)
        today = timezone.localdate(timezone=zone)
        last: date = self.cleaned_data["before"] or today
        first: date = self.cleaned_data["since"] or today - KEPT
        end = min(last, date.max - timedelta(days=1)) + timedelta(days=1)
        return tuple(timezone.make_aware(datetime.combine(day, time.min), zone) for day in (first, end))  # type: ignore[return-value]
