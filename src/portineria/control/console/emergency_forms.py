# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from portineria.control.access.emergency import LONGEST, SHORTEST
from portineria.control.console.forms import REASON_CHARACTERS, ReasonForm, length_choices
from portineria.control.console.long_select import LongSelect
from portineria.control.estate.models import Plant
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Person

_LENGTHS = (5, 10, 15, 20, 30, 60, 90, 120, 180, 240)


class OpenForm(ReasonForm):
    """What is written here is all that anybody has who looks at it afterwards."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].error_messages["required"] = _("Please say what is wrong there.")


class GiveForm(forms.Form):
    """To one of the owner's own people, who are offered by name; or to one of a supplier's, of whom there are thousands
    and who never hold it by accident.
    """

    person = forms.ChoiceField(required=False, widget=LongSelect)
    guest = forms.EmailField(required=False, max_length=254)
    plant = forms.ChoiceField()

    def __init__(self, *args: Any, actor: Person, plants: Iterable[Plant], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor
        self.places = {plant.public_id: plant for plant in plants}
        for name, choices in (
            ("person", [("", "—"), *identity.own_people(actor)]),
            ("plant", [(key, plant.name) for key, plant in self.places.items()]),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
            field.choices = choices

    def clean_guest(self) -> str:
        """Their id."""
        if not (address := self.cleaned_data["guest"].lower()):
            return ""
        there = identity.members(self.actor).filter(person__disabled_at__isnull=True, supplier__isnull=False)
        found = there.filter(person__email=address).first()
        if found is None:
            raise ValidationError(_("No supplier's person has this address here."))
        return found.person.public_id

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and bool(cleaned["person"]) == bool(cleaned["guest"]):
            raise ValidationError(_("Choose one of your own people, or name one of a supplier's; one of these."))
        return cleaned

    @property
    def given(self) -> dict[str, Any]:
        """As ``emergency.give_role`` takes it."""
        said = self.cleaned_data
        return {"person": said["person"] or said["guest"], "plant": said["plant"], "guest": bool(said["guest"])}


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
