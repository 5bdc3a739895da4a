# SPDX-License-Identifier: Apache-2.0
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portineria.control.identity.connector import unbase64
from portineria.control.identity.models import Organisation
from portineria.control.identity.service_accounts import LONGEST_DAYS, Powers


class AccountForm(forms.Form):
    name = forms.CharField(max_length=120, error_messages={"required": _("Please say which program it is for.")})
    organisation = forms.ChoiceField()

    def __init__(self, *args: Any, organisations: list[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [(row.public_id, row.name) for row in organisations]


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
