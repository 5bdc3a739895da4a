# SPDX-License-Identifier: Apache-2.0
"""Taking a register out, and checking a file that says it is one."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portineria.ledger.checkpoint import Checkpoint, read_checkpoint
from portineria.ledger.note import NOTE_BYTES, BadNote, VerifierKey, parse_verifier_key
from portineria.ledger.trust import Trust

_KEY_CHARACTERS = 400


class ExportForm(forms.Form):
    organisation = forms.CharField(max_length=24)
    first = forms.IntegerField(
        min_value=1, max_value=(1 << 62), initial=1, error_messages={"invalid": _("Write the number of an event.")}
    )


class CheckForm(forms.Form):
    file = forms.FileField(
        allow_empty_file=True, max_length=255,
        widget=forms.FileInput(attrs={"accept": ".jsonl,.gz,.json,application/json,application/gzip"}),
        error_messages={"required": _("Choose the file first.")},
    )  # fmt: skip
    witness = forms.CharField(required=False, max_length=_KEY_CHARACTERS, strip=True)
    known = forms.CharField(
        required=False, max_length=NOTE_BYTES, strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "class": "mono"}),
    )  # fmt: skip

    def clean_witness(self) -> list[VerifierKey]:
        try:
            return [parse_verifier_key(self.cleaned_data["witness"])] if self.cleaned_data["witness"] else []
        except BadNote as error:
            raise forms.ValidationError(_("This is no key of a witness. It looks like NAME+ID+BASE64.")) from error

    def clean_known(self) -> list[Checkpoint]:
        """A browser ends lines with CR LF, and somebody who copies loses the last one."""
        text = str(self.cleaned_data["known"]).replace("\r\n", "\n").strip("\n")
        try:
            return [read_checkpoint(f"{text}\n")[1]] if text else []
        except BadNote as error:
            raise forms.ValidationError(_("This is no checkpoint. Copy all of it, with its signatures.")) from error

    def trust(self) -> Trust:
        given: dict[str, Any] = self.cleaned_data
        return Trust(witnesses=given["witness"], known=given["known"])
