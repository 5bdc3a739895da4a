# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portineria.control.identity.models import Membership, Person


class StayForm(forms.Form):
    """It proposes a year from now, and whoever answers now; where nobody does, nobody."""

    until = forms.DateField(
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": _("Please say until which day.")},
    )
    sponsor = forms.ChoiceField(error_messages={"required": _("Please choose a person.")})

    def __init__(self, data: Any, *, row: Membership, staff: Iterable[Person]) -> None:
        people = {person.public_id: person.name for person in staff}
        now = row.sponsor.public_id if row.sponsor else ""
        initial = {
            "until": row.organisation.usual_end(timezone.now()), "sponsor": now if now in people else "",
        }  # fmt: skip
        super().__init__(data, initial=initial)
        field = self.fields["sponsor"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [("", "—"), *people.items()]
