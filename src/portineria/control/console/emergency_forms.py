# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portineria.control.access.emergency import LONGEST, SHORTEST
from portineria.control.console.forms import REASON_CHARACTERS, ReasonForm, length_choices
from portineria.control.estate.models import Plant
from portineria.control.identity.models import Membership

_LENGTHS = (5, 10, 15, 20, 30, 60, 90, 120, 180, 240)


class OpenForm(ReasonForm):
    """What is written here is all that anybody has who looks at it afterwards."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].error_messages["required"] = _("Please say what is wrong there.")


class GiveForm(forms.Form):
    """``whom``: the organisation's people, by name."""

    person = forms.ChoiceField(error_messages={"required": _("Please choose a person.")})
    plant = forms.ChoiceField()
    guest = forms.BooleanField(required=False)

    def __init__(self, *args: Any, whom: Iterable[Membership], plants: Iterable[Plant], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = {plant.public_id: plant for plant in plants}
        people = {row.person.public_id: _named(row) for row in whom if row.person.enabled}
        for name, choices in (
            ("person", [("", "—"), *people.items()]),
            ("plant", [(key, plant.name) for key, plant in self.places.items()]),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
            field.choices = choices


def _named(row: Membership) -> str:
    return f"{row.person.name} ({row.supplier.name})" if row.supplier else row.person.name


class LongestForm(forms.Form):
    minutes = forms.TypedChoiceField(coerce=int)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["minutes"]
        assert isinstance(field, forms.TypedChoiceField)  # noqa: S101  # as declared above
        named = dict(length_choices(LONGEST))
        field.choices = [(one, named.get(one, f"{one} min")) for one in _LENGTHS if SHORTEST <= one <= LONGEST]


class SwitchForm(forms.Form):
    allowed = forms.TypedChoiceField(choices=[("yes", "yes"), ("no", "no")], coerce=lambda said: said == "yes")


class SignForm(forms.Form):
    note = forms.CharField(
        max_length=REASON_CHARACTERS,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": REASON_CHARACTERS}),
        error_messages={"required": _("Please say what you found; it is kept with the event.")},
    )
