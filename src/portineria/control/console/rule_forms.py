# SPDX-License-Identifier: Apache-2.0
"""A rule as somebody writes it: whom, which machines, what, when and under which conditions."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Concat
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portineria.control.access import queries as access
from portineria.control.access import training_queries
from portineria.control.access.levels import Asked
from portineria.control.access.models import SERVICES, Rule
from portineria.control.access.places import offered
from portineria.control.access.rules import RULE_MINUTES, Conditions
from portineria.control.access.training import Training
from portineria.control.access.watchers import MOST_WATCHERS
from portineria.control.console.beginning_form import BeginningForm
from portineria.control.console.forms import length_choices
from portineria.control.console.level_forms import NUMBERS, LevelsForm, level_choices
from portineria.control.console.long_select import LongSelect
from portineria.control.console.plant_forms import KindsField
from portineria.control.console.rule_words import Terms, everybody_in, place_words, whom
from portineria.control.console.standing_forms import standing_choices
from portineria.control.console.templatetags.console import minutes as length
from portineria.control.estate import queries as estate
from portineria.control.estate.models import Machine
from portineria.control.identity import group_queries
from portineria.control.identity import queries as identity
from portineria.control.identity.models import Organisation, Person
from portineria.core.time_zones import zone_or_utc
from portineria.policy.function_profile import BUILT_IN
from portineria.policy.windows import BadWindow, parse_windows, windows_text

Choices = dict[str, list[tuple[Any, str]]]
_WHOM = ["supplier", "person", "group"]
_AGES = (5, 15, 30, 60, 240)  # minutes
_MACHINES = 2000  # lines of a form; more are declared in a file


class RuleForm(LevelsForm):
    """Of one organisation, which the actor administers. A rule that exists keeps whom it names."""

    supplier = forms.ChoiceField(required=False, widget=LongSelect)
    person = forms.CharField(required=False, max_length=254)
    group = forms.ChoiceField(required=False, widget=LongSelect)
    machines = forms.CharField(
        required=False, max_length=100_000, widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})
    )
    profile = forms.ChoiceField(required=False)
    only_decoded = forms.BooleanField(required=False)
    windows = forms.CharField(
        required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"})
    )
    max_minutes = forms.TypedChoiceField(coerce=int, initial=480)
    needs_reference = forms.BooleanField(required=False)
    needs_recording = forms.BooleanField(required=False)
    watcher = forms.CharField(required=False, max_length=(MOST_WATCHERS + 1) * 256)  # addresses, apart by commas
    needs_maintenance = forms.BooleanField(required=False)
    signals = KindsField()
    places = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    only_services = forms.CharField(
        required=False, max_length=SERVICES, widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"})
    )
    trainings = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    needs_device = forms.BooleanField(required=False)
    needs_listed_reason = forms.BooleanField(required=False)
    factor_minutes = forms.TypedChoiceField(coerce=int, required=False)
    least_standing = forms.ChoiceField(required=False)

    def __init__(
        self, *args: Any, actor: Person, owner: Organisation, rule: Rule | None, levels: Sequence[Asked] = (),
        choices: Choices | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        """``levels``: that the rule has; ``choices``: where the caller knows them."""
        super().__init__(*args, **kwargs)
        self.actor, self.owner, self.rule = actor, owner, rule
        self.named: list[Machine] = []
        if rule is not None:
            del self.fields["supplier"], self.fields["person"], self.fields["group"]
        elif isinstance(kinds := self.fields["signals"], KindsField):
            kinds.offer_usual()
        self.choices = choices or _choices(actor, owner, rule, levels)
        for name, there in self.choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
            field.choices = there

    def clean_windows(self) -> str:
        try:
            return windows_text(parse_windows(self.cleaned_data["windows"]))
        except BadWindow as error:
            why = _("This is not a window: %(window)s. Write Mon-Fri 08:00-18:00, or 2026-12-24 08:00-12:00.")
            raise ValidationError(why % {"window": error.text}) from error

    def clean_machines(self) -> list[str]:
        """By name, plant/name or id, one on each line."""
        lines = [" ".join(line.split()) for line in self.cleaned_data["machines"].splitlines()]
        wanted = [line for line in dict.fromkeys(lines) if line]
        if not wanted:
            return []
        if len(wanted) > _MACHINES:
            raise ValidationError(_("At most %(count)d machines.") % {"count": _MACHINES})
        there = estate.machines(self.actor).annotate(with_plant=Concat("plant__name", Value("/"), "name"))
        fits = Q(public_id__in=wanted) | Q(name__in=wanted) | Q(with_plant__in=wanted)
        rows = list(there.filter(fits, plant__organisation=self.owner))
        called: dict[str, list[Machine]] = {}
        for row in rows:
            for name in (row.public_id, row.name, f"{row.plant.name}/{row.name}"):
                called.setdefault(name, []).append(row)
        for text in wanted:
            found = called.get(text, [])
            if not found:
                raise ValidationError(_("There is no machine %(name)s.") % {"name": text})
            if len(found) > 1:
                raise ValidationError(_("Several machines are called %(name)s: write plant/name.") % {"name": text})
            self.named += found
        return [row.public_id for row in self.named]

    def clean_only_services(self) -> list[str]:
        """By name or protocol, one on each line."""
        return [line.strip() for line in self.cleaned_data["only_services"].splitlines() if line.strip()]

    def clean_person(self) -> str:
        return self.member(self.cleaned_data["person"])

    def clean_watcher(self) -> list[str]:
        return [self.member(text) for text in self.cleaned_data["watcher"].replace(",", " ").split()]

    def member(self, text: str) -> str:
        """By e-mail address; an AI agent by its name, since it has none."""
        if not (text := text.strip()):
            return ""
        found = {*self._called.get(text.lower(), ()), *self._called.get(f" {text}", ())}
        if len(found) != 1:
            raise ValidationError(_("Nobody here has this address."))
        return str(found.pop())

    @cached_property
    def _called(self) -> dict[str, list[str]]:
        """Of all whom the form names, in one query: address, or an agent's name after a blank → ids."""
        texts = {text.strip() for text in [str(self.data.get("person") or ""), *self._addresses()]} - {""}
        if not texts:
            return {}
        agents = Q(person__answered_by__isnull=False, person__name__in=texts)
        named = agents | Q(person__email__in={text.lower() for text in texts})
        found: dict[str, list[str]] = {}
        for row in identity.members(self.actor).filter(named, organisation=self.owner):
            found.setdefault(row.person.email, []).append(row.person.public_id)
            if row.person.answered_by_id is not None:
                found.setdefault(f" {row.person.name}", []).append(row.person.public_id)
        return found

    def _addresses(self) -> list[str]:
        fields = ["watcher", *(f"people_{number}" for number in NUMBERS)]
        return [text for name in fields for text in str(self.data.get(name) or "").replace(",", " ").split()]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not cleaned.get("machines") and not cleaned.get("places"):
            raise ValidationError(_("Please name at least one machine or place."))
        named = [name for name in _WHOM if cleaned.get(name)]
        if self.rule is None and not self.errors and len(named) != 1:
            raise ValidationError(_("Choose a supplier or a group, or name one person; one of these."))
        return cleaned

    @property
    def given(self) -> dict[str, Any]:
        """As the services take it."""
        data = self.cleaned_data
        taken = ["machines", "max_minutes", "profile", "only_decoded", "windows", "places", "only_services"]
        found = {name: data[name] for name in taken + (_WHOM if self.rule is None else [])}
        conditions = Conditions(
            approvals=max(1, data["approvals"]),
            levels=self.levels,
            needs_reference=data["needs_reference"],
            needs_recording=data["needs_recording"],
            watcher=data["watcher"][0] if data["watcher"] else "",
            watchers=tuple(data["watcher"][1:]),
            needs_maintenance=data["needs_maintenance"],
            signals=KindsField.taken(data["signals"]),
            trainings=tuple(data["trainings"]),
            factor_minutes=data["factor_minutes"] or 0,
            needs_listed_reason=data["needs_listed_reason"],
            needs_device=data["needs_device"],
            least_standing=data["least_standing"],
        )
        return found | {"needs_approval": data["approvals"] > 0, "conditions": conditions}

    def _whom(self, data: dict[str, Any]) -> str:
        if data.get("group"):
            return everybody_in(dict(self.choices["group"])[data["group"]])
        firms = dict(self.choices["supplier"])
        return str(firms[data["supplier"]] if data.get("supplier") else self.data.get("person", ""))

    def terms(self) -> Terms:
        """As far as it is filled in; of one that was not sent, what it begins with."""
        if not self.is_bound:
            shown = RuleForm(self.initial, actor=self.actor, owner=self.owner, rule=self.rule, choices=self.choices)
            shown.is_valid()
            return shown.terms()
        data: dict[str, Any] = getattr(self, "cleaned_data", {})
        rule = self.rule
        if rule is not None:
            who, firm = whom(rule), rule.supplier is not None
        else:
            who, firm = self._whom(data), bool(data.get("supplier"))
        return Terms(
            who=str(who),
            firm=firm,
            machines=[row.name for row in self.named[:5]],
            more=max(0, len(self.named) - 5),
            minutes=data.get("max_minutes") or 480,
            approvals=data.get("approvals", 1),
            profile=data.get("profile", ""),
            only_decoded=data.get("only_decoded", False),
            windows=data.get("windows", ""),
            needs_reference=data.get("needs_reference", False),
            needs_recording=data.get("needs_recording", False),
            watcher=" / ".join(self.data.get("watcher", "").replace(",", " ").split()) if data.get("watcher") else "",
            needs_maintenance=data.get("needs_maintenance", False),
            signals=" ".join(data.get("signals", ())),
            only_services=data.get("only_services", ()),
            places=[dict(self.choices["places"])[text] for text in data.get("places", ())],
            trainings=training_queries.names(" ".join(data.get("trainings", ()))),
            factor_minutes=data.get("factor_minutes") or 0,
            needs_listed_reason=data.get("needs_listed_reason", False),
            needs_device=data.get("needs_device", False),
            least_standing=data.get("least_standing", ""),
            levels=self.level_words(),
        )


def _choices(actor: Person, owner: Organisation, rule: Rule | None, levels: Sequence[Asked]) -> Choices:
    """Field → what it offers. Whom a rule names that exists is not asked for."""
    there = _offered(actor, owner)
    profiles, groups = sorted({*BUILT_IN, *(name for _id, name in there["profile"])}), there["group"]
    lengths = {*length_choices(RULE_MINUTES)}
    if rule is not None:  # kept as it is, even where no length that is offered fits
        lengths |= {*length_choices(rule.max_minutes)}
    found: Choices = {
        "profile": [("", _("no inspection: everything passes")), *((name, name) for name in profiles)],
        "places": [(text, place_words(*rows[0])) for text, rows in offered(owner).items()],
        "max_minutes": sorted(lengths),
        "trainings": list(there["training"]),
        "factor_minutes": _ages(rule),
        "least_standing": list(standing_choices()),
        **level_choices(groups, levels),
    }
    if rule is None:
        found["supplier"] = [("", "—"), *identity.supplier_names(actor, [owner])]
        found["group"] = [("", "—"), *groups]
    return found


def _offered(actor: Person, owner: Organisation) -> dict[str, list[tuple[str, str]]]:
    """Function profiles, trainings and groups: id and name, in one query."""
    rows: dict[str, QuerySet[Any, Any]] = {
        "profile": access.profile_versions(actor, owner),
        "training": Training.objects.offered().filter(organisation=owner),
        "group": group_queries.named_groups(actor).open().filter(organisation=owner),
    }
    first, *others = [found.order_by().values_list("name", "public_id", Value(kind)) for kind, found in rows.items()]
    offered_: dict[str, list[tuple[str, str]]] = {kind: [] for kind in rows}
    for name, public_id, kind in first.union(*others, all=True).order_by("name"):
        offered_[kind].append((public_id, name))
    return offered_


def _ages(rule: Rule | None) -> list[tuple[Any, str]]:
    """Those that are mostly wanted, and the one that there is."""
    kept = rule.factor_minutes if rule and rule.factor_minutes else _AGES[0]
    return [("", _("that of the sign-in is enough")), *((age, length(age)) for age in sorted({*_AGES, kept}))]


class SimulationForm(BeginningForm):
    """Who, where and when; the time is that of the machine's plant."""

    person = forms.EmailField(max_length=254)
    machine = forms.CharField(max_length=200, strip=True)
    at = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": 300}, format="%Y-%m-%dT%H:%M"),
        error_messages={"invalid": gettext_lazy("Please give day and time.")},
    )

    def moment(self, zone: str) -> datetime:
        typed: datetime | None = self.cleaned_data["at"]
        if typed is None:
            return timezone.now()
        naive = timezone.make_naive(typed, timezone.get_current_timezone())
        return naive.replace(tzinfo=zone_or_utc(zone))
