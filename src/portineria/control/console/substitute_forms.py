# SPDX-License-Identifier: Apache-2.0
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portineria.control.access.counted import said_to_one
from portineria.control.access.deciding import people_asked
from portineria.control.access.models import AccessRequest
from portineria.control.access.watchers import watches_at
from portineria.control.console.long_select import LongSelect
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Person

_WHEN = "%Y-%m-%dT%H:%M"
_FAULTS = {"invalid": _("Please give a day and a time."), "required": _("Please give a day and a time.")}


def choices(actor: Person) -> list[tuple[str, str]]:
    """Whom the actor may name: who works where the actor approves, or watches. Organisation and person, as one word."""
    here = {pk for pk in actor.staff_of if (role := actor.role_in(pk)) is not None and role.approves}
    here |= watches_at(actor)
    return [
        (f"{owner}/{person}", f"{name} · {organisation}" if len(here) > 1 else name)
        for owner, organisation, person, name in identity.colleagues(actor, here)
    ]


class HandOverForm(forms.Form):
    """``together``: what was asked for at once with it as well."""

    substitute = forms.ChoiceField(widget=LongSelect)
    together = forms.BooleanField(required=False, initial=True)

    def __init__(self, *args: Any, actor: Person, asked: AccessRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not asked.bundle:
            del self.fields["together"]
        field = self.fields["substitute"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        able = people_asked(asked, timezone.now(), said_to_one(asked))
        left_out = {asked.person.public_id, *(one.public_id for one in able)}
        there = identity.colleagues(actor, [asked.organisation_id])
        field.choices = [(person, name) for _, _, person, name in there if person not in left_out]


class SubstituteForm(forms.Form):
    """Times are those of whoever asks, as their account says."""

    substitute = forms.ChoiceField(widget=LongSelect)
    begins = forms.DateTimeField(
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_WHEN), error_messages=_FAULTS
    )
    until = forms.DateTimeField(
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_WHEN), error_messages=_FAULTS
    )

    def __init__(self, *args: Any, offered: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["substitute"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = offered
        self.initial.setdefault("begins", timezone.localtime())

    def named(self) -> dict[str, Any]:
        organisation, _slash, person = self.cleaned_data["substitute"].partition("/")
        begins = max(self.cleaned_data["begins"], timezone.now())
        return {
            "organisation": organisation, "substitute": person, "starts_at": begins,
            "ends_at": self.cleaned_data["until"],
        }  # fmt: skip
