# SPDX-License-Identifier: Apache-2.0
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.functional import Promise

from portineria.control.console.texts.notices import CHANNELS, KINDS, WEBHOOKS
from portineria.control.notification.models import ADDRESS, Channel, Kind
from portineria.control.notification.models import WebhookForm as Form


@dataclass(frozen=True, slots=True)
class Row:
    label: "str | Promise"
    ways: "list[tuple[BoundField, str | Promise]]"


class ChoicesForm(forms.Form):
    """A box for each kind and way."""

    def __init__(self, *args: Any, chosen: Mapping[Kind, tuple[Channel, ...]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind in Kind:
            for way in Channel:
                field = forms.BooleanField(required=False, initial=way in chosen[kind])
                self.fields[f"{kind.value}_{way.value}"] = field
        self.fields["save"] = forms.CharField(required=False, widget=forms.HiddenInput(), initial="1")

    def rows(self) -> list[Row]:
        return [
            Row(KINDS[kind], [(self[f"{kind.value}_{way.value}"], CHANNELS[way]) for way in Channel]) for kind in Kind
        ]

    def ways(self) -> dict[Kind, tuple[Channel, ...]]:
        return {kind: tuple(way for way in Channel if self.cleaned_data[f"{kind.value}_{way.value}"]) for kind in Kind}


class WebhookForm(forms.Form):
    webhook = forms.CharField(
        max_length=ADDRESS, strip=True, widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )
    form = forms.ChoiceField(required=False, choices=list(WEBHOOKS.items()), initial=Form.SIGNED.value)

    def chosen(self) -> Form:
        return Form(self.cleaned_data["form"] or Form.SIGNED)
