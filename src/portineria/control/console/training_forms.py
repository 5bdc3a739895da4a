# SPDX-License-Identifier: Apache-2.0
"""Writing a training, and saying that one was read."""

from typing import Any

from django import forms
from django.forms import BoundField

from portineria.control.access.training import MOST_DAYS, TRAINING_LINK, TRAINING_TEXT, TrainingVersion
from portineria.control.identity.models import Language


class TrainingForm(forms.Form):
    """A text, an address or both in each language; what is left empty is not there."""

    name = forms.CharField(max_length=60, strip=True)
    days = forms.IntegerField(required=False, min_value=1, max_value=MOST_DAYS)

    def __init__(self, *args: Any, version: TrainingVersion | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        before = {text.language: text for text in version.texts.order_by("pk")} if version else {}
        if version is not None:
            del self.fields["name"]
            self.initial.setdefault("days", version.days)
        for language in Language.values:
            there = before.get(language)
            self.fields[f"{language}_text"] = forms.CharField(
                max_length=TRAINING_TEXT, strip=True, required=False, initial=there.text if there else "",
                widget=forms.Textarea(attrs={"rows": 8, "maxlength": TRAINING_TEXT, "lang": language}),
            )  # fmt: skip
            self.fields[f"{language}_link"] = forms.URLField(
                max_length=TRAINING_LINK, required=False, initial=there.link if there else "", assume_scheme="https"
            )

    def words(self) -> dict[str, tuple[str, str]]:
        data = self.cleaned_data
        return {language: (data[f"{language}_text"], data[f"{language}_link"]) for language in Language.values}

    def by_language(self) -> list[tuple[str, str, BoundField, BoundField]]:
        """Language, its own name, and its two fields."""
        return [(code, str(name), self[f"{code}_text"], self[f"{code}_link"]) for code, name in Language.choices]
