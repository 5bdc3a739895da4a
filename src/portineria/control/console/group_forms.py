# SPDX-License-Identifier: Apache-2.0
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portineria.control.identity import queries as identity
from portineria.control.identity.group_models import Group
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.provider_models import GROUP_CHARACTERS, IdentityProvider


class GroupForm(forms.Form):
    name = forms.CharField(max_length=120, error_messages={"required": gettext_lazy("Please give it a name.")})
    organisation = forms.ChoiceField()

    def __init__(self, *args: Any, organisations: list[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [(row.public_id, row.name) for row in organisations]


class MemberForm(forms.Form):
    person = forms.EmailField(max_length=254)

    def __init__(self, *args: Any, actor: Person, group: Group, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor, self.group = actor, group

    def clean_person(self) -> str:
        """Their id."""
        email = self.cleaned_data["person"].strip().lower()
        rows = identity.members(self.actor).filter(organisation=self.group.organisation_id, person__email=email)
        row = rows.first()
        if row is None:
            raise ValidationError(_("Nobody here has this address."))
        return row.person.public_id


class SourceForm(forms.Form):
    provider = forms.ChoiceField()
    claimed = forms.CharField(max_length=GROUP_CHARACTERS, strip=True)

    def __init__(self, *args: Any, providers: list[IdentityProvider], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["provider"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [(row.public_id, row.name) for row in providers]
