# SPDX-License-Identifier: Apache-2.0
"""Setting up a sink: the same questions for every kind, and its own settings below them."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext_lazy as _

from portineria.control.console.texts import sinks as texts
from portineria.control.console.texts.events import GROUPS, beginnings_of
from portineria.control.identity.models import Organisation
from portineria.control.sinks.models import Personal
from portineria.control.sinks.services import NAME_CHARACTERS, Wanted
from portineria.core.event_meaning import Severity
from portineria.sinks.kind import SinkKind
from portineria.sinks.setting import PEM_CHARACTERS, TEXT_CHARACTERS, BadSetting, Setting, Shape

_ROWS = 4
PREFIX = "setting_"


class SinkForm(forms.Form):
    name = forms.CharField(max_length=NAME_CHARACTERS, strip=True)
    organisation = forms.ChoiceField()
    severity = forms.TypedChoiceField(coerce=int, choices=list(texts.SEVERITIES.items()), initial=6)
    codes = forms.MultipleChoiceField(choices=list(GROUPS), required=False, widget=forms.CheckboxSelectMultiple)
    personal = forms.ChoiceField(choices=list(texts.PERSONAL.items()), initial=Personal.NONE, widget=forms.RadioSelect)
    begin = forms.ChoiceField(
        choices=[("now", _("From now on")), ("first", _("Everything that is in the register"))],
        initial="now", widget=forms.RadioSelect,
    )  # fmt: skip

    def __init__(self, *args: Any, kind: SinkKind, organisations: list[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        field = self.fields["organisation"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [(row.public_id, row.name) for row in organisations]
        for setting in kind.settings:
            self.fields[PREFIX + setting.name] = _field(setting)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        for setting in self.kind.settings:
            name = PREFIX + setting.name
            value = str(given.get(name, "")).strip() or setting.default
            try:
                setting.check(value)
            except BadSetting:
                if name not in self.errors:
                    self.add_error(name, str(texts.FAULTS[setting.shape]))
        return given

    def settings(self) -> Mapping[str, str]:
        return {setting.name: self.cleaned_data[PREFIX + setting.name] for setting in self.kind.settings}

    def wanted(self) -> Wanted:
        codes = [code for chosen in self.cleaned_data["codes"] for code in beginnings_of(chosen)]
        given = self.cleaned_data
        return Wanted(Personal(given["personal"]), tuple(codes), Severity(given["severity"]))

    def setting_fields(self) -> list[tuple[BoundField, texts.Words, bool]]:
        """Field, its words, whether it may be left empty."""
        return [
            (self[PREFIX + setting.name], texts.SETTINGS[setting.name], not setting.needed)
            for setting in self.kind.settings
        ]


def _field(setting: Setting) -> forms.Field:
    if setting.shape is Shape.CHOICE:
        choices = [(one, texts.CHOICES[one]) for one in setting.choices]
        return forms.ChoiceField(choices=choices, initial=setting.default)
    long = setting.shape.long
    widget: forms.Widget = forms.TextInput()
    if long:
        widget = forms.Textarea(attrs={"rows": _ROWS, "spellcheck": "false", "class": "mono"})
    elif setting.shape is Shape.SECRET:
        widget = forms.PasswordInput(attrs={"autocomplete": "off"})
    most = PEM_CHARACTERS if long else TEXT_CHARACTERS
    return forms.CharField(required=setting.needed, max_length=most, strip=True, widget=widget, initial=setting.default)


class ReplayForm(forms.Form):
    """From midnight on, in the time zone of whoever asks."""

    day = forms.DateField(
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": _("Please give a day."), "required": _("Please give a day.")},
    )
