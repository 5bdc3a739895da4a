# SPDX-License-Identifier: Apache-2.0
"""Enrolling a computer of somebody's, by the key that it shows."""

import base64
import binascii
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from portineria.control.access.company_device import MOST_DEVICE_DAYS
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Organisation, Person


class DeviceForm(forms.Form):
    person = forms.EmailField(max_length=254)
    name = forms.CharField(max_length=60, strip=True)
    key = forms.CharField(max_length=60, strip=True, widget=forms.TextInput(attrs={"spellcheck": "false"}))
    days = forms.IntegerField(min_value=1, max_value=MOST_DEVICE_DAYS, initial=365)

    def __init__(self, *args: Any, actor: Person, owner: Organisation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor, self.owner = actor, owner

    def clean_person(self) -> str:
        email = self.cleaned_data["person"].strip().lower()
        row = identity.members(self.actor).filter(organisation=self.owner, person__email=email).first()
        if row is None:
            raise ValidationError(_("Nobody here has this address."))
        return row.person.public_id

    def clean_key(self) -> bytes:
        text: str = self.cleaned_data["key"]
        try:
            key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32:
            raise ValidationError(_("This is not what portineria device shows on that computer."))
        return key
