# SPDX-License-Identifier: Apache-2.0
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portineria.control.identity import queries as identity
from portineria.control.identity.connector import unbase64
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.service_accounts import LONGEST_DAYS, Powers


class AccountForm(forms.Form):
    name = forms.CharField(max_length=120, error_messages={"required": _("Please say which program it is for.")})
    organisation = forms.ChoiceField()
    answered_by = forms.EmailField(required=False, max_length=254)

    def __init__(self, *args: Any, actor: Person, organisations: list[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor
        field = self.fields["organisation"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [(row.public_id, row.name) for row in organisations]

    def clean_answered_by(self) -> str:
        """By e-mail address; of the organisation, as the services look."""
        email = self.cleaned_data["answered_by"].strip().lower()
        row = identity.members(self.actor).filter(person__email=email).first() if email else None
        if email and row is None:
            raise ValidationError(gettext("Nobody here has this address."))
        return row.person.public_id if row is not None else ""


class TokenForm(forms.Form):
    name = forms.CharField(max_length=64, error_messages={"required": _("Please say where it will lie.")})
    days = forms.IntegerField(min_value=1, max_value=LONGEST_DAYS, initial=90)
    asks = forms.BooleanField(required=False)
    operates = forms.BooleanField(required=False)
    provisions = forms.BooleanField(required=False)
    public_key = forms.CharField(required=False, max_length=64)

    def given(self) -> dict[str, Any]:
        """As ``service_accounts.issue_token`` takes it; raise BadField."""
        said, key = self.cleaned_data, self.cleaned_data["public_key"]
        return {
            "name": said["name"],
            "days": said["days"],
            "powers": Powers(said["asks"], said["operates"], said["provisions"]),
            "key": unbase64(key, "public_key", size=32) if key else b"",
        }
