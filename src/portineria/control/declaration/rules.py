# SPDX-License-Identifier: Apache-2.0
"""Rules have no name. One that is declared is the one that is there for the same supplier or person and the same
machines; failing that, the one that has most machines in common with it.
"""

from dataclasses import dataclass
from functools import partial

from portineria.control.access import services
from portineria.control.access.consent import clean_kinds
from portineria.control.access.models import Rule
from portineria.control.access.only_services import words_of
from portineria.control.access.rules import Conditions, conditions_of
from portineria.control.access.training_queries import names
from portineria.control.access.watchers import named_watchers
from portineria.control.declaration.document import Declaration, DeclaredRule
from portineria.control.declaration.labels import declared_places, places_difference, places_of, unknown_places
from portineria.control.declaration.levels import level_terms_of, levels_difference, unknown_approvers
from portineria.control.declaration.people import role_after
from portineria.control.declaration.plan import Plan, Work
from portineria.control.declaration.present import MachineName, Present

MAX_MINUTES = 480
Subject = tuple[str, str]  # "supplier" or "group" and name, or "person" and e-mail address


@dataclass(frozen=True, slots=True)
class Wanted:
    place: str
    subject: Subject
    machines: frozenset[MachineName]
    declared: DeclaredRule

    @property
    def named(self) -> frozenset[tuple[str, ...]]:
        """Machines and places."""
        return self.machines | {(place,) for place in self.declared.places or ()}


def plan_rules(declaration: Declaration, present: Present, plan: Plan, waiting: set[MachineName]) -> None:
    wanted = _wanted(declaration, present, plan)
    there = present.places | declared_places(declaration, waiting)
    held = [rule for rule in wanted if rule.machines & waiting or set(rule.declared.places or ()) - there]
    plan.waiting += [f"{_text(rule)} waits for its machines" for rule in held]
    pairs = _pairs(wanted, list(present.rules))
    for rule in wanted:
        row = pairs.get(rule.place)
        if rule in held:
            continue
        if row is None:
            terms = _terms(rule.declared.max_minutes or MAX_MINUTES, rule.declared.needs_approval is not False)
            functions = _inspection(rule.declared.profile or "", only_decoded=rule.declared.only_decoded is True)
            asks = [*_asks(rule, None), *_services(rule, None)]
            besides = _when(rule.declared.windows_text or "") + "".join(f", {part}" for part in asks)
            text = f"{_text(rule)}, {terms}, {functions}{besides}"
            plan.add(rule.place, text, partial(_make_rule, rule=rule))
        elif change := _difference(rule, row):
            text = f"rule {row.public_id} for {rule.subject[1]}: {change}"
            plan.change(rule.place, text, partial(_change_rule, rule=rule, row=row))
    taken = {row.pk for row in pairs.values()}
    for row in present.rules:
        if row.pk not in taken:
            terms = _terms(row.max_minutes, row.needs_approval)
            names = _listed(_named_of(row))
            plan.untouched.append(f"rule {row.public_id} for {_subject_of(row)[1]}: {names}, {terms}")


def _wanted(declaration: Declaration, present: Present, plan: Plan) -> list[Wanted]:
    found: list[Wanted] = []
    for i, rule in enumerate(declaration.rule):
        place = f"rule[{i}]"
        subject = ("supplier", rule.supplier) if rule.supplier is not None else ("person", rule.person or "")
        subject = ("group", rule.group) if rule.group is not None else subject
        faults = _unknown_subject(place, subject, declaration, present)
        if rule.watcher and role_after(declaration, present.members.get(rule.watcher), rule.watcher) is None:
            faults.append(f"{place}.watcher: there is no person {rule.watcher}")
        strangers = [
            one for one in rule.watchers or () if role_after(declaration, present.members.get(one), one) is None
        ]
        faults += [f"{place}.watchers: there is no person {one}" for one in strangers]
        faults += unknown_approvers(place, rule, declaration, present)
        offered = {*present.trainings, *(one.name for one in declaration.training)}
        unknown = [name for name in rule.trainings or () if name not in offered]
        faults += [f"{place}.trainings: there is no training {name}" for name in unknown]
        machines = set()
        for j, name in enumerate(rule.machines):
            called = _called(name, declaration, present)
            if len(called) == 1:
                machines |= called
            else:
                several = ", ".join(sorted("/".join(one) for one in called))
                why = f"several are called {name}; write one of {several}" if called else f"there is no machine {name}"
                faults.append(f"{place}.machines[{j}]: {why}")
        faults += unknown_places(place, rule.places or (), declaration, present)
        one = Wanted(place, subject, frozenset(machines), rule)
        if any((other.subject, other.named) == (subject, one.named) for other in found):
            faults.append(f"{place}: a rule for {subject[1]} and these machines is there already")
        plan.faults += faults
        if not faults:
            found.append(one)
    return found


def _unknown_subject(place: str, subject: Subject, declaration: Declaration, present: Present) -> list[str]:
    kind, name = subject
    if kind == "supplier":
        known = name in present.suppliers or any(name == supplier.name for supplier in declaration.supplier)
    elif kind == "group":
        known = name in present.groups or any(name == group.name for group in declaration.group)
    else:
        known = role_after(declaration, present.members.get(name), name) is not None
    return [] if known else [f"{place}.{kind}: there is no {kind} {name}"]


def _called(text: str, declaration: Declaration, present: Present) -> set[MachineName]:
    """Machines with this name, plant/name or id, whether there already or declared."""
    by_id = {name for name, row in present.machines.items() if row.public_id == text}
    names = {*present.machines, *((machine.plant, machine.name) for machine in declaration.machine)}
    text = " ".join(text.split())  # as names are kept
    return by_id or {name for name in names if text in (name[1], "/".join(name))}


def _subject_of(row: Rule) -> Subject:
    if row.group is not None:
        return "group", row.group.name
    return ("supplier", row.supplier.name) if row.supplier else ("person", row.person.email if row.person else "")


def _machines_of(row: Rule) -> frozenset[MachineName]:
    return frozenset((machine.plant.name, machine.name) for machine in row.machines.all())


def _named_of(row: Rule) -> frozenset[tuple[str, ...]]:
    return _machines_of(row) | {(place,) for place in places_of(row)}


def _pairs(wanted: list[Wanted], rows: list[Rule]) -> dict[str, Rule]:
    """Place in the file → rule that is there. The closest pair first; each is used once."""
    close = []
    for number, rule in enumerate(wanted):
        for age, row in enumerate(rows):
            named = _named_of(row)
            common = len(rule.named & named)
            if common and rule.subject == _subject_of(row):
                all_of_both = len(rule.named | named)
                close.append((common < all_of_both, -common, all_of_both, bool(_difference(rule, row)), number, age))
    found: dict[str, Rule] = {}
    used: set[int] = set()
    for *_, number, age in sorted(close):
        if wanted[number].place not in found and age not in used:
            found[wanted[number].place] = rows[age]
            used.add(age)
    return found


def _difference(rule: Wanted, row: Rule) -> str:
    parts, there = [], _machines_of(row)
    if new := rule.machines - there:
        parts.append(f"also {_listed(new)}")
    if gone := there - rule.machines:
        parts.append(f"no longer {_listed(gone)}")
    if rule.declared.max_minutes not in (None, row.max_minutes):
        parts.append(f"{row.max_minutes} → {rule.declared.max_minutes} minutes")
    if rule.declared.needs_approval not in (None, row.needs_approval):
        parts.append("now needs approval" if rule.declared.needs_approval else "no longer needs approval")
    profile = row.profile.name if row.profile else ""
    if rule.declared.profile not in (None, profile):
        parts.append(f"{_inspection(profile)} → {_inspection(rule.declared.profile or '')}")
    if rule.declared.only_decoded not in (None, row.only_decoded):
        parts.append("only decoded services" if rule.declared.only_decoded else "also services that cannot be decoded")
    if rule.declared.windows_text not in (None, row.windows):
        parts.append(f"{row.windows or 'always'} → {rule.declared.windows_text or 'always'}")
    return ", ".join(parts + _asks(rule, row) + places_difference(rule.declared.places, row) + _services(rule, row))


def _asks(rule: Wanted, row: Rule | None) -> list[str]:
    """What it asks for besides, where that is declared and not so already."""
    declared, now = rule.declared, conditions_of(row) if row else Conditions()
    watcher = row.watcher.email if row and row.watcher else ""
    parts = []
    parts += levels_difference(declared, row)
    if declared.approvals not in (None, now.approvals):
        parts.append(f"{declared.approvals} approvals")
    if declared.needs_reference not in (None, now.needs_reference):
        parts.append("with ticket or work permit" if declared.needs_reference else "without ticket or work permit")
    if declared.needs_recording not in (None, now.needs_recording):
        parts.append("only where recorded" if declared.needs_recording else "also where not recorded")
    if declared.watcher not in (None, watcher):
        parts.append(f"watched by {declared.watcher or 'nobody'}")
    others = tuple(person.email for person in named_watchers(row)[1:]) if row else ()
    if declared.watchers not in (None, others):
        parts.append(f"watched besides by {', '.join(declared.watchers or ()) or 'nobody'}")
    if declared.needs_maintenance not in (None, now.needs_maintenance):
        parts.append("only in maintenance" if declared.needs_maintenance else "also out of maintenance")
    if declared.signals is not None and (kinds := clean_kinds(declared.signals)) != (now.signals or ""):
        parts.append(f"only while {kinds} say yes" if kinds else "without consent signals")
    if declared.factor_minutes not in (None, now.factor_minutes):
        parts.append(f"second factor at most {declared.factor_minutes or 'any number of'} minutes old")
    if declared.needs_listed_reason not in (None, now.needs_listed_reason):
        parts.append("with a listed reason" if declared.needs_listed_reason else "without a listed reason")
    if declared.needs_device not in (None, now.needs_device):
        parts.append("only from company devices" if declared.needs_device else "from any computer")
    if declared.least_standing not in (None, now.least_standing):
        least = declared.least_standing
        parts.append(f"supplier's standing {least} or better" if least else "whatever the supplier's standing")
    asked = names(row.trainings) if row else []
    if declared.trainings is not None and sorted(set(declared.trainings)) != asked:
        parts.append(f"trainings: {', '.join(sorted(set(declared.trainings))) or 'none'}")
    return parts


def _services(rule: Wanted, row: Rule | None) -> list[str]:
    wanted = rule.declared.only_services
    if wanted is None or list(wanted) == words_of(row.only_services if row is not None else ""):
        return []
    return [f"only services {', '.join(wanted)}" if wanted else "all services"]


def _conditions(work: Work, rule: Wanted, row: Rule | None) -> Conditions:
    """What is left out stays as it is."""
    declared, now = rule.declared, conditions_of(row) if row else Conditions()
    watcher = now.watcher if declared.watcher is None else ""
    return Conditions(
        approvals=now.approvals if declared.approvals is None else declared.approvals,
        needs_reference=now.needs_reference if declared.needs_reference is None else declared.needs_reference,
        needs_recording=now.needs_recording if declared.needs_recording is None else declared.needs_recording,
        watcher=work.ids["person", declared.watcher] if declared.watcher else watcher,
        needs_maintenance=now.needs_maintenance if declared.needs_maintenance is None else declared.needs_maintenance,
        signals=now.signals if declared.signals is None else clean_kinds(declared.signals),
        trainings=now.trainings
        if declared.trainings is None
        else tuple(work.ids["training", name] for name in declared.trainings),
        factor_minutes=now.factor_minutes if declared.factor_minutes is None else declared.factor_minutes,
        needs_listed_reason=now.needs_listed_reason
        if declared.needs_listed_reason is None
        else declared.needs_listed_reason,
        needs_device=now.needs_device if declared.needs_device is None else declared.needs_device,
        least_standing=now.least_standing if declared.least_standing is None else declared.least_standing,
        watchers=now.watchers
        if declared.watchers is None
        else tuple(work.ids["person", one] for one in declared.watchers),
        levels=level_terms_of(work, declared, now.levels),
    )


def _when(windows: str) -> str:
    return f", only {windows}" if windows else ""


def _listed(machines: frozenset[tuple[str, ...]]) -> str:
    return ", ".join(sorted("/".join(name) for name in machines))


def _text(rule: Wanted) -> str:
    return f"rule for {rule.subject[1]}: {_listed(rule.named)}"


def _terms(minutes: int, needs_approval: bool) -> str:
    return f"at most {minutes} minutes, {'with' if needs_approval else 'WITHOUT'} approval"


def _inspection(profile: str, *, only_decoded: bool = False) -> str:
    text = f"profile {profile}" if profile else "NO inspection"
    return f"{text}, only decoded services" if only_decoded else text


def _ids(work: Work, machines: frozenset[MachineName]) -> list[str]:
    return [work.ids["machine", *name] for name in sorted(machines)]


def _make_rule(work: Work, *, rule: Wanted) -> None:
    kind, name = rule.subject
    given = work.ids[kind, name]
    services.create_rule(
        actor=work.actor,
        organisation=work.organisation,
        machines=_ids(work, rule.machines),
        supplier=given if kind == "supplier" else "",
        person=given if kind == "person" else "",
        max_minutes=rule.declared.max_minutes or MAX_MINUTES,
        needs_approval=rule.declared.needs_approval is not False,
        profile=rule.declared.profile or "",
        only_decoded=rule.declared.only_decoded is True,
        windows=rule.declared.windows_text or "",
        conditions=_conditions(work, rule, None),
        group=given if kind == "group" else "",
        places=rule.declared.places or (),
        only_services=rule.declared.only_services or (),
    )


def _change_rule(work: Work, *, rule: Wanted, row: Rule) -> None:
    services.change_rule(
        actor=work.actor,
        rule=row.public_id,
        machines=_ids(work, rule.machines),
        max_minutes=rule.declared.max_minutes,
        needs_approval=rule.declared.needs_approval,
        profile=rule.declared.profile,
        only_decoded=rule.declared.only_decoded,
        windows=rule.declared.windows_text,
        conditions=_conditions(work, rule, row),
        places=rule.declared.places,
        only_services=rule.declared.only_services,
    )
