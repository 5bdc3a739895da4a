# SPDX-License-Identifier: Apache-2.0
"""Writing a notice, and saying that one was read."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portineria.control.console.forms import ReasonForm
from portineria.control.identity.models import Language, Person
from portineria.control.privacy.models import ANSWER, MOST_DAYS, Duty, Terms
from portineria.control.privacy.services import ANSWERS

QUESTIONS: "dict[str, str | Promise]" = {
    "what": _("What is recorded"),
    "why": _("Why"),
    "who": _("Who may see it"),
    "how_long": _("How long it is kept"),
}


class NoticeForm(forms.Form):
    """Four answers in each language."""

    def __init__(self, *args: Any, initial_answers: Mapping[str, Mapping[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for language in Language.values:
            for answer in ANSWERS:
                self.fields[f"{language}_{answer}"] = forms.CharField(
                    max_length=ANSWER, strip=True, initial=initial_answers[language][answer],
                    widget=forms.Textarea(attrs={"rows": 5, "maxlength": ANSWER, "lang": language}),
                )  # fmt: skip

    def answers(self) -> dict[str, dict[str, str]]:
        return {
            language: {answer: self.cleaned_data[f"{language}_{answer}"] for answer in ANSWERS}
            for language in Language.values
        }

    def by_language(self) -> list[tuple[str, str, list[tuple[BoundField, "str | Promise"]]]]:
        """Language, its own name, and its fields with their questions."""
        return [
            (code, str(name), [(self[f"{code}_{answer}"], QUESTIONS[answer]) for answer in ANSWERS])
            for code, name in Language.choices
        ]


class AcknowledgeForm(forms.Form):
    """``number``: of the version that was before their eyes."""

    number = forms.IntegerField(min_value=1, max_value=(1 << 31) - 1)
    language = forms.ChoiceField(choices=Language.choices)


class TermsForm(forms.Form):
    """No days: recordings stay until somebody removes them."""

    records_staff = forms.BooleanField(required=False)
    records_suppliers = forms.BooleanField(required=False)
    records_agents = forms.BooleanField(required=False)
    recordings_days = forms.IntegerField(required=False, min_value=1, max_value=MOST_DAYS)

    @staticmethod
    def of(terms: Terms) -> dict[str, Any]:
        return {
            "records_staff": terms.records_staff,
            "records_suppliers": terms.records_suppliers,
            "records_agents": terms.records_agents,
            "recordings_days": terms.recordings_days,
        }


DUTIES: "dict[str, str | Promise]" = {
    Duty.READER: _("reader: may ask to look through a recording"),
    Duty.GUARDIAN: _("guardian: says yes or no, for those who were recorded"),
}


class DutyForm(forms.Form):
    person = forms.ChoiceField()
    duty = forms.ChoiceField(choices=[*DUTIES.items(), ("", _("neither"))], required=False)

    def __init__(self, *args: Any, people: list[Person], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["person"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [(person.public_id, person.name) for person in people]

    @property
    def wanted(self) -> Duty | None:
        return Duty(self.cleaned_data["duty"]) if self.cleaned_data["duty"] else None


class PlaybackForm(ReasonForm):
    reference = forms.CharField(
        max_length=60, strip=True, error_messages={"required": _("Please give the number of the case.")}
    )
    hours = forms.TypedChoiceField(
        coerce=int, initial=24,
        choices=[(4, _("4 hours")), (24, _("one day")), (72, _("three days")), (168, _("seven days"))],
    )  # fmt: skip


class ContentsForm(forms.Form):
    answer = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no")])


class AnswerForm(forms.Form):
    answer = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no"), ("end", "end")])
