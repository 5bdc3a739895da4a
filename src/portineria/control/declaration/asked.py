# SPDX-License-Identifier: Apache-2.0
"""What rules ask for besides: trainings, lists of reasons, the plant's consent signals."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from portineria.control.access.models import Signal
from portineria.control.access.reasons import lists, set_reasons
from portineria.control.access.signals import Where, add_signal
from portineria.control.access.training import MOST_DAYS, TRAINING_LINK, TRAINING_TEXT, TrainingVersion
from portineria.control.access.trainings import publish_training
from portineria.control.declaration.plan import Plan, Work
from portineria.control.identity.services import BadField
from portineria.policy.consent import SignalKind

if TYPE_CHECKING:
    from portineria.control.declaration.document import Declaration
    from portineria.control.declaration.present import MachineName, Present


class DeclaredWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    text: Annotated[str, Meta(max_length=TRAINING_TEXT)] = ""
    link: Annotated[str, Meta(max_length=TRAINING_LINK)] = ""


class DeclaredTraining(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``words``: by language. ``days``: how long a confirmation counts; left out, for good."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    words: Annotated[dict[Literal["en", "it", "ja"], DeclaredWords], Meta(min_length=1)]
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] | None = None

    @property
    def said(self) -> dict[str, tuple[str, str]]:
        found = {language: (words.text.strip(), words.link.strip()) for language, words in self.words.items()}
        return {language: pair for language, pair in found.items() if any(pair)}


class DeclaredReasons(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole list: of a plant, or the one that counts wherever a plant has none of its own."""

    reasons: tuple[str, ...]
    plant: str = ""


class DeclaredSignal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Of one machine. What a signal is, is never changed: another one has another name."""

    plant: str
    machine: str
    kind: SignalKind
    name: Annotated[str, Meta(min_length=1, max_length=60)]
    source: Literal["file", "modbus-coil", "modbus-discrete", "opcua-node"]
    address: Annotated[str, Meta(max_length=45)] = ""
    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    unit: Annotated[int, Meta(ge=0, le=255)] = 0
    number: Annotated[int, Meta(ge=0, le=65535)] = 0
    place: Annotated[str, Meta(max_length=120)] = ""
    inverted: bool = False

    @property
    def where(self) -> Where:
        return Where(self.source, self.address, self.port, self.unit, self.number, self.place, self.inverted)


def plan_asked(declaration: "Declaration", present: "Present", plan: Plan, waiting: "set[MachineName]") -> None:
    """Before the rules, which name them."""
    _plan_trainings(declaration, present, plan)
    _plan_reasons(declaration, present, plan)
    _plan_signals(declaration, present, plan, waiting)


def _plan_trainings(declaration: "Declaration", present: "Present", plan: Plan) -> None:
    rows = TrainingVersion.objects.current().filter(training__organisation=present.organisation)
    there = {row.training.name: row for row in rows.select_related("training").prefetch_related("texts")}
    for i, one in enumerate(declaration.training):
        row, act = there.get(one.name), partial(_publish, one=one)
        if row is None:
            plan.add(f"training[{i}]", f"training {one.name}", act)
        elif {text.language: (text.text, text.link) for text in row.texts.all()} != one.said or row.days != one.days:
            text = f"training {one.name}: version {row.number + 1}, which everybody confirms anew"
            plan.change(f"training[{i}]", text, act)
    declared = {one.name for one in declaration.training}
    plan.untouched += [f"training {name}" for name in sorted(there) if name not in declared]


def _publish(work: Work, *, one: DeclaredTraining) -> None:
    known = work.ids.get(("training", one.name), "")
    made = publish_training(
        actor=work.actor, words=one.said, days=one.days, organisation=work.organisation, name=one.name, training=known
    )
    work.ids["training", one.name] = made.training.public_id


def _plan_reasons(declaration: "Declaration", present: "Present", plan: Plan) -> None:
    there = lists(present.organisation)
    declared = {plant.name for plant in declaration.plant} | present.plants.keys()
    for i, one in enumerate(declaration.reasons):
        if one.plant and one.plant not in declared:
            plan.faults.append(f"reasons[{i}].plant: there is no plant {one.plant}")
            continue
        row = present.plants.get(one.plant)
        now = there.get(row.public_id if row else "", []) if row or not one.plant else []
        wanted = list(dict.fromkeys(" ".join(text.split()) for text in one.reasons))
        text = f"reasons{f' at {one.plant}' if one.plant else ''}: {', '.join(wanted) or 'none'}"
        if now != wanted:
            (plan.change if now else plan.add)(f"reasons[{i}]", text, partial(_set_reasons, one=one))


def _set_reasons(work: Work, *, one: DeclaredReasons) -> None:
    plant = work.ids["plant", one.plant] if one.plant else ""
    set_reasons(actor=work.actor, organisation=work.organisation, plant=plant, reasons=one.reasons)


def _plan_signals(declaration: "Declaration", present: "Present", plan: Plan, waiting: "set[MachineName]") -> None:
    rows = Signal.objects.standing().filter(organisation=present.organisation, machine__isnull=False)
    there = {(row.machine_id, row.name): row for row in rows.order_by("pk")}
    known = {(machine.plant, machine.name) for machine in declaration.machine} | present.machines.keys()
    for i, one in enumerate(declaration.signal):
        machine = (one.plant, one.machine)
        if machine not in known:
            plan.faults.append(f"signal[{i}].machine: there is no machine {one.plant}/{one.machine}")
            continue
        try:
            where = one.where.cleaned()
        except BadField as error:
            plan.faults.append(f"signal[{i}]: {error}")
            continue
        found = present.machines.get(machine)
        row = there.get((found.pk, one.name)) if found else None
        text = f"signal {one.name} of {one.machine}"
        if machine in waiting:
            plan.waiting.append(f"{text}: the machine waits")
        elif row is None:
            plan.add(f"signal[{i}]", f"{text}: {one.kind.value}, {one.source}", partial(_add_signal, one=one))
        elif _of(row) != (one.kind, where):
            plan.kept.append(f"{text}: it is another one by now")


def _of(row: Signal) -> tuple[SignalKind, Where]:
    where = Where(row.source, row.address, row.port, row.unit, row.number, row.place, row.inverted)
    return SignalKind(row.kind), where


def _add_signal(work: Work, *, one: DeclaredSignal) -> None:
    add_signal(
        actor=work.actor, organisation=work.organisation, machine=work.ids["machine", one.plant, one.machine],
        kind=one.kind.value, name=one.name, where=one.where,
    )  # fmt: skip
