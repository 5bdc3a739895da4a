# SPDX-License-Identifier: Apache-2.0
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portineria.control.console.forms import REASON_CHARACTERS, length_choices


class MoreTimeForm(forms.Form):
    """``max_minutes``: how many more the grant may be given."""

    minutes = forms.TypedChoiceField(coerce=int)
    reason = forms.CharField(
        max_length=REASON_CHARACTERS,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 3, "maxlength": REASON_CHARACTERS}),
        error_messages={"required": _("Please say what is still to be done.")},
    )

    def __init__(self, *args: Any, max_minutes: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["minutes"]
        assert isinstance(field, forms.TypedChoiceField)  # noqa: S101  # as declared above
        field.choices = length_choices(min(max_minutes, 480))
