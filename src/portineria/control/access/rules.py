# SPDX-License-Identifier: Apache-2.0
"""What rules say, and who changes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from portineria.control.access.closing import hold_waiting, lapse_requests
from portineria.control.access.consent import settle_signals
from portineria.control.access.levels import LevelTerms, level_terms, levels_text, require_approval, set_levels
from portineria.control.access.models import (
    LEAST_FACTOR_MINUTES,
    MOST_APPROVALS,
    MOST_FACTOR_MINUTES,
    Rule,
    RuleVersion,
)
from portineria.control.access.only_services import keep_to, words_of
from portineria.control.access.places import places_text, require_something, set_places
from portineria.control.access.profiles import profile_named, require_inspectable
from portineria.control.access.reason import has_list
from portineria.control.access.standing_asked import LEVELS
from portineria.control.access.training_queries import asked_of
from portineria.control.access.watchers import name_watchers, other_watchers
from portineria.control.access.windows import clean_windows
from portineria.control.audit.services import record
from portineria.control.estate.models import Machine
from portineria.control.identity.authority import Actor, Operator, administers, organisation_of, require
from portineria.control.identity.models import Group, Organisation, Person, Supplier
from portineria.control.identity.services import BadField
from portineria.core.errors import NotFound

RULE_MINUTES = 10080


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a rule asks for besides. ``watcher``: id of somebody of the organisation, or empty. ``signals``: kinds of
    consent signals, apart by blanks; None: as it was, of a new rule what is usual (``access.consent``). ``trainings``:
    ids.
    """

    approvals: int = 1
    needs_reference: bool = False
    needs_recording: bool = False
    watcher: str = ""
    needs_maintenance: bool = False
    signals: str | None = None
    trainings: tuple[str, ...] = ()
    factor_minutes: int = 0  # 0: whenever
    needs_listed_reason: bool = False
    needs_device: bool = False
    least_standing: str = ""  # A to D; empty: none
    watchers: tuple[str, ...] = ()  # besides ``watcher``; one of them is enough
    levels: tuple[LevelTerms, ...] = ()  # of whom, in this order; then ``approvals`` is what they sum up to

    def set_on(self, rule: Rule) -> None:
        """In memory, but for whom it names to watch and to approve; raise BadField, NotFound, TooFewApprovers."""
        if not self.levels and not 1 <= self.approvals <= MOST_APPROVALS:
            raise BadField("approvals", f"1 to {MOST_APPROVALS}", most=MOST_APPROVALS)
        set_levels(rule, self.levels, self.approvals)
        rule.needs_reference = self.needs_reference
        rule.needs_recording = self.needs_recording
        name_watchers(rule, (self.watcher, *self.watchers))
        rule.needs_maintenance = self.needs_maintenance
        rule.trainings = asked_of(rule.organisation, self.trainings)
        least, most = LEAST_FACTOR_MINUTES, MOST_FACTOR_MINUTES
        if self.factor_minutes and not least <= self.factor_minutes <= most:
            raise BadField("factor_minutes", f"{least} to {most}", least=least, most=most)
        rule.factor_minutes = self.factor_minutes or None
        if self.needs_listed_reason and not has_list(rule.organisation):
            raise BadField("needs_listed_reason", "there is no list")
        rule.needs_listed_reason, rule.needs_device = self.needs_listed_reason, self.needs_device
        if self.least_standing and (self.least_standing, self.least_standing) not in LEVELS:
            raise BadField("least_standing", "A to D")
        rule.least_standing = self.least_standing


NO_MORE = Conditions()


def conditions_of(rule: Rule) -> Conditions:
    watcher = rule.watcher.public_id if rule.watcher else ""
    return Conditions(
        approvals=rule.approvals,
        needs_reference=rule.needs_reference,
        needs_recording=rule.needs_recording,
        watcher=watcher,
        needs_maintenance=rule.needs_maintenance,
        signals=rule.signals,
        trainings=tuple(rule.trainings.split()),
        factor_minutes=rule.factor_minutes or 0,
        needs_listed_reason=rule.needs_listed_reason,
        needs_device=rule.needs_device,
        least_standing=rule.least_standing,
        watchers=tuple(other_watchers(rule)),
        levels=level_terms(rule),
    )


@transaction.atomic
def create_rule(
    *, actor: Person, organisation: str, machines: Iterable[str], supplier: str = "", person: str = "",
    max_minutes: int = 480, needs_approval: bool = True, profile: str = "", only_decoded: bool = False,
    windows: str = "", conditions: Conditions = NO_MORE, group: str = "", places: Iterable[str] = (),
    only_services: Iterable[str] = (),
) -> Rule:  # fmt: skip
    """For all people of a supplier or a group, or for one person. ``profile``: name of a function profile; without one
    nothing is inspected. ``only_decoded``: services of which we would see metadata only are left out. ``windows``:
    when it is open, as ``policy.windows`` reads them; empty: always. ``places``: whose machines it names besides
    (``places``). ``only_services``: names of services or protocols, to which it keeps; empty: to none.
    """
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    if [bool(supplier), bool(person), bool(group)].count(True) != 1:
        raise BadField("supplier", "either a supplier, a group or a person")
    check_minutes(max_minutes, RULE_MINUTES)
    named, functions = _machines(owner, machines), profile_named(owner, profile)
    require_inspectable(named, profile=functions, only_decoded=only_decoded)
    rule = Rule.objects.create(
        organisation=owner,
        supplier=_supplier(owner, supplier),
        person=_member(owner, person),
        group=_group(owner, group),
        max_minutes=max_minutes,
        needs_approval=needs_approval,
        profile=functions,
        only_decoded=only_decoded,
        windows=clean_windows(windows, named),
    )
    conditions.set_on(rule)
    rule.machines.set(named)
    keep_to(rule, only_services)
    rule.save()
    set_places(rule, places)
    require_something(rule)
    settle_signals(rule, conditions.signals, new=True)
    rule.save(update_fields=["signals"])
    keep_version(rule, actor, [], named)
    _record("created", rule, actor, supplier=supplier, person=person, group=group)
    return rule


def _record(what: str, rule: Rule, actor: Actor, **fields: str) -> None:
    record(
        f"access.rule.{what}",
        organisation=rule.organisation.public_id,
        actor=actor.public_id,
        rule=rule.public_id,
        machines=" ".join(rule.machines.order_by("pk").values_list("public_id", flat=True)),
        **fields,
        **_terms_of(rule),
    )


def _terms_of(rule: Rule) -> dict[str, Any]:
    """As an event says it."""
    return {
        "minutes": rule.max_minutes,
        "needs_approval": rule.needs_approval,
        "profile": rule.profile.public_id if rule.profile else "",
        "only_decoded": rule.only_decoded,
        "windows": rule.windows,
        "approvals": rule.approvals,
        "needs_reference": rule.needs_reference,
        "needs_recording": rule.needs_recording,
        "watcher": rule.watcher.public_id if rule.watcher else "",
        "needs_maintenance": rule.needs_maintenance,
        "signals": rule.signals,
        "places": places_text(rule),
        "only_services": ", ".join(words_of(rule.only_services)),
        "trainings": rule.trainings,
        "factor_minutes": rule.factor_minutes or 0,
        "needs_listed_reason": rule.needs_listed_reason,
        "needs_device": rule.needs_device,
        "least_standing": rule.least_standing,
        "watchers": " ".join(other_watchers(rule)),
        "approval_levels": levels_text(rule),
    }


def keep_version(rule: Rule, actor: Actor, before: Sequence[Machine], after: Sequence[Machine]) -> None:
    """What the rule says from now on; the rule is locked, so numbers follow each other."""
    newest = rule.versions.aggregate(newest=Max("number"))["newest"] or 0
    was, becomes = ({machine.public_id for machine in machines} for machines in (before, after))
    RuleVersion.objects.create(
        rule=rule,
        number=newest + 1,
        by=actor if isinstance(actor, Person) else None,
        terms=_terms_of(rule) | {"ended": rule.ended_at is not None},
        added=sorted(becomes - was),
        removed=sorted(was - becomes),
    )


def check_minutes(minutes: int, most: int) -> None:
    if not 1 <= minutes <= most:
        raise BadField("minutes", f"1 to {most}", most=most)


def _machines(owner: Organisation, machines: Iterable[str]) -> list[Machine]:
    wanted = set(machines)
    rows = Machine.objects.filter(plant__organisation=owner, public_id__in=wanted)
    found = list(rows.select_related("plant").order_by("pk"))
    if len(found) != len(wanted):
        raise NotFound("machines of a rule")
    return found


def _supplier(owner: Organisation, supplier: str) -> Supplier | None:
    if not supplier:
        return None
    found = Supplier.objects.filter(organisation=owner, public_id=supplier).first()
    if found is None:
        raise NotFound(f"supplier {supplier}")
    return found


def _group(owner: Organisation, group: str) -> Group | None:
    if not group:
        return None
    found = Group.objects.open().filter(organisation=owner, public_id=group).first()
    if found is None:
        raise NotFound(f"group {group}")
    return found


def _member(owner: Organisation, person: str) -> Person | None:
    if not person:
        return None
    found = Person.objects.filter(memberships__organisation=owner, public_id=person).first()
    if found is None:
        raise NotFound(f"person {person}")
    return found


def _rule_to_change(actor: Actor, rule: str) -> Rule:
    seen = Rule.objects.ordinary() if isinstance(actor, Operator) else Rule.objects.visible_to(actor)
    rows = seen.holding().select_for_update(of=("self",), no_key=True).select_related("organisation")
    row = rows.filter(public_id=rule).first()
    if row is None:
        raise NotFound(f"rule {rule}")
    require(actor, row.organisation_id, administers)
    hold_waiting(row)
    return row


@transaction.atomic
def change_rule(
    *, actor: Person, rule: str, machines: Iterable[str] | None = None, max_minutes: int | None = None,
    needs_approval: bool | None = None, profile: str | None = None, only_decoded: bool | None = None,
    windows: str | None = None, conditions: Conditions | None = None, places: Iterable[str] | None = None,
    only_services: Iterable[str] | None = None,
) -> Rule:  # fmt: skip
    """Machines that drop out: their grants under this rule stop holding, their sessions drain, and what waits ends.

    Another profile holds at once for what runs under the rule, beside that of its approval; an empty one takes it away.
    Other windows hold at once too: what runs outside of them drains.
    """
    row = _rule_to_change(actor, rule)
    before = list(row.machines.all()) if machines is not None else []
    if max_minutes is not None:
        check_minutes(max_minutes, RULE_MINUTES)
        row.max_minutes = max_minutes
    if needs_approval is not None:
        row.needs_approval = needs_approval
    if machines is not None:
        row.machines.set(_machines(row.organisation, machines))
    if places is not None:
        set_places(row, places)
    require_something(row)
    if profile is not None:
        row.profile = profile_named(row.organisation, profile)
    if only_decoded is not None:
        row.only_decoded = only_decoded
    keep_to(row, only_services)
    if (machines, profile, only_decoded) != (None, None, None):
        require_inspectable(row.machines.all(), profile=row.profile, only_decoded=row.only_decoded)
    if windows is not None or (machines is not None and row.windows):
        row.windows = clean_windows(row.windows if windows is None else windows, row.machines.select_related("plant"))
    if conditions is not None:
        conditions.set_on(row)
    _settle(row, conditions)
    keep_version(row, actor, before, list(row.machines.all()) if machines is not None else [])
    _record("changed", row, actor)
    lapse_requests(timezone.now(), row)
    return row


def _settle(row: Rule, conditions: Conditions | None) -> None:
    require_approval(row)
    settle_signals(row, conditions.signals if conditions else None, new=False)
    row.save()


@transaction.atomic
def end_rule(*, actor: Actor, rule: str, reason: str) -> Rule:
    row = _rule_to_change(actor, rule)
    row.ended_at = timezone.now()
    row.save(update_fields=["ended_at"])
    keep_version(row, actor, [], [])
    record(
        "access.rule.ended", organisation=row.organisation.public_id, actor=actor.public_id, rule=rule, reason=reason
    )
    lapse_requests(row.ended_at, row)
    return row
