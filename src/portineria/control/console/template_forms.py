# SPDX-License-Identifier: Apache-2.0
from django import forms
from django.utils.translation import gettext_lazy as _

from portineria.control.identity.template_models import TEMPLATE_BYTES


class TemplateForm(forms.Form):
    file = forms.FileField(error_messages={"required": _("Please choose a file.")})

    def clean_file(self) -> object:
        given = self.cleaned_data["file"]
        if given.size > TEMPLATE_BYTES:
            raise forms.ValidationError(_("A template has at most 256 KiB."))
        return given
