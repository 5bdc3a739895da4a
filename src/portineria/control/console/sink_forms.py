# SPDX-License-Identifier: Apache-2.0
"""Setting up a sink: the same questions for every kind, and its own settings below them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext_lazy as _

from portineria.control.console.texts import sinks as texts
from portineria.control.console.texts.events import GROUPS, beginnings_of, groups_of
from portineria.control.identity.models import Organisation
from portineria.control.sinks.models import Personal, Sink
from portineria.control.sinks.services import NAME_CHARACTERS, Wanted
from portineria.core.event_meaning import Severity
from portineria.sinks.kind import SinkKind
from portineria.sinks.setting import PEM_CHARACTERS, TEXT_CHARACTERS, BadSetting, Setting, Shape

_ROWS = 4
PREFIX = "setting_"
FORGET = "forget_"


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
                self.needed(setting).check(value)
            except BadSetting:
                if name not in self.errors:
                    self.add_error(name, str(texts.FAULTS[setting.shape]))
        return given

    def needed(self, setting: Setting) -> Setting:
        return setting

    def settings(self) -> Mapping[str, str]:
        return {setting.name: self.cleaned_data[PREFIX + setting.name] for setting in self.kind.settings}

    def wanted(self) -> Wanted:
        codes = [code for chosen in self.cleaned_data["codes"] for code in beginnings_of(chosen)]
        given = self.cleaned_data
        return Wanted(Personal(given["personal"]), tuple(codes), Severity(given["severity"]))

    def setting_fields(self) -> list[tuple[BoundField, texts.Words, bool]]:
        """Field, its words, whether it may be left empty."""
        return [
            (self[PREFIX + setting.name], texts.SETTINGS[setting.name], not self.needed(setting).needed)
            for setting in self.kind.settings
        ]


class ChangeForm(SinkForm):
    """Of a sink that is there. A secret that is left empty stays as it is, or is forgotten where that was chosen."""

    def __init__(self, *args: Any, sink: Sink, kind: SinkKind, **kwargs: Any) -> None:
        initial = {PREFIX + name: value for name, value in sink.settings.items()}
        initial |= {
            "name": sink.name,
            "severity": sink.severity,
            "personal": sink.personal,
            "codes": groups_of(sink.codes),
        }
        super().__init__(*args, kind=kind, organisations=[sink.organisation], initial=initial, **kwargs)
        self._codes = list(sink.codes)
        del self.fields["begin"], self.fields["organisation"]
        self.kept = {setting.name for setting in kind.settings if setting.shape.secret}
        for name in self.kept:
            self.fields[PREFIX + name].required = False
        optional = {setting.name for setting in kind.settings if not setting.needed}
        for name in sorted(self.kept & optional):
            self.fields[FORGET + name] = forms.BooleanField(required=False)

    def needed(self, setting: Setting) -> Setting:
        return replace(setting, needed=False) if setting.shape.secret else setting

    def settings(self) -> Mapping[str, str]:
        given = super().settings()
        forgotten = {name for name in self.kept if self.cleaned_data.get(FORGET + name)}
        return {name: value for name, value in given.items() if value or name not in self.kept or name in forgotten}

    def wanted(self) -> Wanted:
        """Codes that are no whole group, as the API sets them, stay: no box of this page stands for them."""
        found = super().wanted()
        whole = {code for group in groups_of(self._codes) for code in beginnings_of(group)}
        codes = (*found.codes, *(code for code in self._codes if code not in whole))
        return replace(found, codes=tuple(self._codes) if set(codes) == set(self._codes) else codes)

    def forget_fields(self) -> list[tuple[BoundField, texts.Words]]:
        return [
            (self[name], texts.SETTINGS[name.removeprefix(FORGET)]) for name in self.fields if name.startswith(FORGET)
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
