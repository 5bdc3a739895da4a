# SPDX-License-Identifier: Apache-2.0
"""Which signals a rule asks for: what is taken where nobody said, and what is refused because the work could set it."""

from collections.abc import Iterable

from django.utils import timezone

from portineria.control.access.models import Rule, Signal
from portineria.control.access.other_ways import rules_beside, sets_otherwise
from portineria.control.access.plant_state import PlantState, of_rule, plant_state
from portineria.control.estate.models import Machine
from portineria.control.identity.services import BadField
from portineria.core.errors import Conflict
from portineria.policy.consent import SetBy, SignalKind, beyond_observing


class NoSuchSignal(Conflict):
    code = "access.rule.no-signal"

    def __init__(self, machine: Machine, kind: str) -> None:
        super().__init__(f"{machine.name} has no signal of the kind {kind}")
        self.values = {"machine": machine.name, "kind": kind}


class SignalSettable(Conflict):
    """Whoever works under the rule could give the consent themselves."""

    code = "access.rule.signal-settable"

    def __init__(self, machine: Machine, signal: str, why: SetBy) -> None:
        super().__init__(f"{signal} of {machine.name} could be set by the work itself: {why}")
        self.values = {"machine": machine.name, "signal": signal, "why": why.value}


def clean_kinds(kinds: Iterable[str]) -> str:
    """In one order. Raise BadField for one that is not known."""
    wanted = set(kinds)
    if unknown := wanted - set(SignalKind):
        raise BadField("signal_kind", f"not {sorted(unknown)}")
    return " ".join(kind for kind in SignalKind if kind in wanted)


def settle_signals(rule: Rule, kinds: str | None, *, new: bool) -> None:
    """In memory; its machines are set. ``kinds`` None: as it was, and of a ``new`` rule by which something may be
    changed: every kind that all of its machines have and that the work could not set. Raise SignalSettable, and
    NoSuchSignal for ``kinds`` that are named now; a machine that comes later without one opens nothing.
    """
    machines = list(rule.machines.select_related("plant", "line").order_by("pk"))
    if kinds is None and new:
        rule.signals = _usual(rule, machines)
        return
    if kinds is not None:
        rule.signals = clean_kinds(kinds.split())
    state = _state(rule, machines)
    for machine in machines if rule.signals else ():
        consent = state.consent(*of_rule(rule, machine))
        for signal, why in [*consent.settable, *_by_others(rule, machine, state)]:
            raise SignalSettable(machine, signal.name, why)
        if kinds is not None and consent.absent:
            raise NoSuchSignal(machine, consent.absent[0])


def _usual(rule: Rule, machines: list[Machine]) -> str:
    profile = rule.profile.profile if rule.profile else None
    if not beyond_observing(profile) or not machines:
        return ""
    rule.signals = clean_kinds(SignalKind)
    state = _state(rule, machines)
    left = set(SignalKind)
    for machine in machines:
        consent = state.consent(*of_rule(rule, machine))
        settable = [*consent.settable, *_by_others(rule, machine, state)]
        left -= {SignalKind(signal.kind) for signal, _ in settable} | set(map(SignalKind, consent.absent))
    return clean_kinds(left)


def _by_others(rule: Rule, machine: Machine, state: PlantState) -> list[tuple[Signal, SetBy]]:
    """Signals of the kinds that it asks for, which another rule for the same people would let them set."""
    here = state.asked(rule, machine)
    ways = rules_beside(rule, [machine], [signal.reading for signal in here])
    return [
        (signal, SetBy.OTHER_PERMISSION) for signal in here if sets_otherwise(signal.reading, machine.plant_id, ways)
    ]


def _state(rule: Rule, machines: list[Machine]) -> PlantState:
    return plant_state((of_rule(rule, machine) for machine in machines), timezone.now())
