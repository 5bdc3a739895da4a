# SPDX-License-Identifier: Apache-2.0
"""Setting up an identity provider, its groups and its domains."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portineria.control.console import texts
from portineria.control.console.long_select import LongSelect
from portineria.control.identity.models import Organisation, Role
from portineria.control.identity.openid import STANDARD_SCOPES
from portineria.control.identity.provider_models import GROUP_CHARACTERS
from portineria.control.identity.providers import NAME_CHARACTERS, OpenIdSettings
from portineria.control.identity.said_factor import LEVELS_CHARACTERS

_CHARACTERS = 200
ENTRA_GROUPS = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"


class _ProviderForm(forms.Form):
    name = forms.CharField(max_length=NAME_CHARACTERS, strip=True)
    organisation = forms.ChoiceField()
    domain = forms.CharField(max_length=1000, strip=True, required=False)

    def __init__(self, *args: Any, organisations: list[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [(row.public_id, row.name) for row in organisations]

    def domains(self) -> list[str]:
        return str(self.cleaned_data["domain"]).replace(",", " ").split()


class OpenIdForm(_ProviderForm):
    address = forms.CharField(max_length=_CHARACTERS, strip=True, widget=forms.TextInput(attrs={"inputmode": "url"}))
    client_id = forms.CharField(max_length=_CHARACTERS, strip=True)
    client_secret = forms.CharField(
        max_length=_CHARACTERS, strip=True, required=False, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )
    groups_claim = forms.CharField(max_length=120, strip=True, required=False, initial="groups")
    scopes = forms.CharField(max_length=_CHARACTERS, strip=True, required=False, initial=STANDARD_SCOPES)

    def settings(self) -> OpenIdSettings:
        given = self.cleaned_data
        return OpenIdSettings(
            given["address"], given["client_id"], given["client_secret"], given["scopes"] or STANDARD_SCOPES,
            given["groups_claim"],
        )  # fmt: skip


class SamlForm(_ProviderForm):
    address = forms.CharField(max_length=_CHARACTERS, strip=True, widget=forms.TextInput(attrs={"inputmode": "url"}))
    groups_claim = forms.CharField(max_length=120, strip=True, required=False, initial=ENTRA_GROUPS)


class GroupForm(forms.Form):
    """``role``: a role of the house, or a supplier, whose people are technicians."""

    group = forms.CharField(max_length=GROUP_CHARACTERS, strip=True, required=False)
    role = forms.ChoiceField(widget=LongSelect)

    def __init__(self, *args: Any, suppliers: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["role"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        own = [(role.value, texts.state(role.value, "role").text) for role in Role if role is not Role.ANALYST]
        firms = [(one, _("technician of %(supplier)s") % {"supplier": name}) for one, name in suppliers]
        field.choices = own + firms
        field.initial = Role.TECHNICIAN.value

    def given(self) -> tuple[Role, str]:
        """Role and supplier."""
        chosen = str(self.cleaned_data["role"])
        return (Role(chosen), "") if chosen in Role.values else (Role.TECHNICIAN, chosen)


class DomainForm(forms.Form):
    domain = forms.CharField(max_length=253, strip=True)


class FactorForm(forms.Form):
    counts = forms.BooleanField(required=False)
    levels = forms.CharField(max_length=LEVELS_CHARACTERS, strip=True, required=False)


class SecretForm(forms.Form):
    client_secret = forms.CharField(
        max_length=_CHARACTERS, strip=True, widget=forms.PasswordInput(attrs={"autocomplete": "off"})
    )
