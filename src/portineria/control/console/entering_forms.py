# SPDX-License-Identifier: Apache-2.0
"""What is entered by hand: plants, machines, services, people, suppliers."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portineria.control.console import texts
from portineria.control.console.long_select import LongSelect
from portineria.control.estate.entering import USUAL, Spoken
from portineria.control.estate.models import Gateway
from portineria.control.identity.models import Organisation, Person, Role
from portineria.core.time_zones import time_zones

_ROLES = (Role.TECHNICIAN, Role.OPERATOR, Role.APPROVER, Role.ADMINISTRATOR)


def _choose(form: forms.Form, name: str, choices: Iterable[tuple[str, Any]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared below
    field.choices = list(choices)


def _protocols() -> list[tuple[str, str]]:
    return [(name, f"{texts.protocol(name)} ({port})") for name, port in USUAL.items()]


class _OfOrganisation(forms.Form):
    organisation = forms.ChoiceField()

    def __init__(self, *args: Any, organisations: list[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, "organisation", [(row.public_id, row.name) for row in organisations])


class PlantAddForm(_OfOrganisation):
    name = forms.CharField(max_length=120, error_messages={"required": _("Please say what the plant is called.")})
    time_zone = forms.ChoiceField(widget=LongSelect, choices=lambda: [(name, name) for name in sorted(time_zones())])


class MachineAddForm(forms.Form):
    """``gateways`` come with their plants."""

    name = forms.CharField(max_length=120, error_messages={"required": _("Please say what the machine is called.")})
    gateway = forms.ChoiceField(widget=LongSelect)
    address = forms.GenericIPAddressField(
        error_messages={"required": _("Please say at which address it stands in the plant's network.")}
    )
    speaks = forms.MultipleChoiceField(required=False, choices=_protocols, widget=forms.CheckboxSelectMultiple)
    other_port = forms.IntegerField(required=False, min_value=1, max_value=65535)
    line = forms.CharField(required=False, max_length=120)
    tag = forms.CharField(required=False, max_length=60)
    try_it = forms.BooleanField(required=False)

    def __init__(self, *args: Any, gateways: list[Gateway], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, "gateway", [(row.public_id, f"{row.plant.name} › {row.name}") for row in gateways])

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if not said.get("speaks") and not said.get("other_port") and "other_port" not in self.errors:
            self.add_error("speaks", _("Please tick what is spoken there, or give a port."))
        return said

    @property
    def given(self) -> dict[str, Any]:
        """As ``entering.enter_machine`` takes it."""
        said = {name: value for name, value in self.cleaned_data.items() if name != "try_it"}
        speaks = [Spoken(name) for name in said.pop("speaks")]
        if port := said.pop("other_port"):
            speaks.append(Spoken("tcp", port, f"tcp {port}"))
        return {**said, "speaks": speaks}


class ServiceAddForm(forms.Form):
    protocol = forms.ChoiceField()
    port = forms.IntegerField(required=False, min_value=1, max_value=65535)
    address = forms.GenericIPAddressField(
        error_messages={"required": _("Please say at which address it stands in the plant's network.")}
    )
    name = forms.CharField(required=False, max_length=60)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, "protocol", [*_protocols(), ("tcp", _("another one"))])

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if said.get("protocol") == "tcp" and not said.get("port") and "port" not in self.errors:
            self.add_error("port", _("Please say at which port."))
        return said

    @property
    def given(self) -> dict[str, Any]:
        """As ``entering.enter_service`` takes it."""
        said = self.cleaned_data
        port = said["port"] or 0
        name = said["name"] or (f"tcp {port}" if said["protocol"] == "tcp" else "")
        return {"address": said["address"], "spoken": Spoken(said["protocol"], port, name)}


class PersonAddForm(_OfOrganisation):
    """Somebody of a supplier is a technician; ``new_supplier`` is entered along with them."""

    name = forms.CharField(max_length=120, error_messages={"required": _("Please say their name.")})
    email = forms.EmailField(error_messages={"required": _("Please give the address they sign in with.")})
    role = forms.ChoiceField(
        choices=lambda: [(role.value, texts.state(role.value, "role").text) for role in _ROLES],
    )
    supplier = forms.ChoiceField(required=False, widget=LongSelect)
    new_supplier = forms.CharField(required=False, max_length=120)
    until = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    sponsor = forms.ChoiceField(required=False, widget=LongSelect)

    def __init__(
        self, *args: Any, suppliers: Iterable[tuple[str, str]], staff: Iterable[Person], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, "sponsor", [("", "—"), *((row.public_id, row.name) for row in staff)])
        _choose(self, "supplier", [("", "—"), *suppliers])

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if said.get("supplier") and said.get("new_supplier"):
            self.add_error("new_supplier", _("Either one of the list or a new one."))
        return said


class AnsweringForm(forms.Form):
    answering = forms.ChoiceField(required=False, widget=LongSelect)
    deputy = forms.ChoiceField(required=False, widget=LongSelect)

    def __init__(self, *args: Any, staff: Iterable[Person], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "—"), *((person.public_id, person.name) for person in staff)]
        _choose(self, "answering", choices)
        _choose(self, "deputy", choices)
