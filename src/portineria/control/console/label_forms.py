# SPDX-License-Identifier: Apache-2.0
"""The labels of one machine, as somebody writes them."""

from django import forms

from portineria.control.estate.label import LABELS_PER_MACHINE, WORD


class LabelsForm(forms.Form):
    """Words with spaces or commas between them."""

    labels = forms.CharField(
        required=False,
        max_length=LABELS_PER_MACHINE * (WORD + 2),
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocapitalize": "none"}),
    )

    def clean_labels(self) -> list[str]:
        words: list[str] = self.cleaned_data["labels"].replace(",", " ").replace("、", " ").split()
        return words
