# SPDX-License-Identifier: Apache-2.0
"""What stands around an organisation's plants: where its events go, what it tells people, to whom it delegates."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from portineria.control.declaration.plan import Plan, Work
from portineria.control.identity import delegating
from portineria.control.identity.delegation_models import BUILDS_ON, LONGEST_INCIDENT_HOURS, Delegation, Power
from portineria.control.identity.models import Language, Organisation
from portineria.control.privacy.models import Notice
from portineria.control.privacy.services import BadNotice, cleaned_answers, publish_notice
from portineria.control.sinks.models import Personal, Sink
from portineria.control.sinks.services import NoEventFits, Wanted, add_sink
from portineria.core.event_meaning import Severity
from portineria.sinks.catalogue import kind_of

if TYPE_CHECKING:
    from portineria.control.declaration.document import Declaration
    from portineria.control.declaration.present import Present


class DeclaredSink(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Without secrets: a file is no home for them. One that needs some is added in the console, and compared here."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    kind: Annotated[str, Meta(max_length=24)]
    settings: dict[str, str] = {}
    personal: Personal = Personal.NONE
    codes: tuple[str, ...] = ()


class DeclaredAnswers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    what: str
    why: str
    who: str
    how_long: str


class DeclaredDelegation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Until it is withdrawn."""

    provider: Annotated[str, Meta(max_length=24)]
    powers: Annotated[tuple[Power, ...], Meta(min_length=1)]
    incident_hours: Annotated[int, Meta(ge=0, le=LONGEST_INCIDENT_HOURS)] = 0


@dataclass(frozen=True, slots=True)
class Around:
    """What is there."""

    sinks: dict[str, Sink]
    notice: dict[str, dict[str, str]]
    delegations: dict[str, Delegation]  # by the provider's id


def around(owner: Organisation) -> Around:
    notice = Notice.objects.filter(organisation=owner).current().prefetch_related("texts").first()
    texts = notice.texts.all() if notice else ()
    return Around(
        sinks={row.name: row for row in Sink.objects.filter(organisation=owner).order_by("name")},
        notice={
            row.language: {"what": row.what, "why": row.why, "who": row.who, "how_long": row.how_long} for row in texts
        },
        delegations={
            row.provider.public_id: row
            for row in Delegation.objects.filter(organisation=owner, withdrawn_at__isnull=True).select_related(
                "provider"
            )
        },
    )


def plan_surroundings(declaration: "Declaration", present: "Present", plan: Plan) -> None:
    there = around(present.organisation)
    for i, sink in enumerate(declaration.sink):
        _plan_sink(f"sink[{i}]", sink, there.sinks.get(sink.name), plan)
    plan.untouched += [f"sink {name}" for name in there.sinks if name not in {sink.name for sink in declaration.sink}]
    _plan_notice(declaration.notice, there, plan)
    for i, one in enumerate(declaration.delegation):
        _plan_delegation(f"delegation[{i}]", one, there.delegations.get(one.provider), plan)
    declared = {one.provider for one in declaration.delegation}
    plan.untouched += [
        f"delegation to {row.provider.name}" for provider, row in there.delegations.items() if provider not in declared
    ]


def _plan_sink(place: str, sink: DeclaredSink, row: Sink | None, plan: Plan) -> None:
    known = kind_of(sink.kind)
    if known is None:
        plan.faults.append(f"{place}.kind: there is no sink of kind {sink.kind}")
        return
    try:
        Wanted(sink.personal, sink.codes).check()
    except NoEventFits as error:
        plan.faults.append(f"{place}.codes: {error}")
        return
    hidden = {setting.name for setting in known.settings if setting.shape.secret}
    if named := sorted(hidden & sink.settings.keys()):
        plan.faults.append(f"{place}.settings: {', '.join(named)} is a secret; enter it in the console")
    elif row is not None:
        if differs := _differences(sink, row):
            plan.kept.append(f"sink {sink.name}: {differs}")
    elif any(setting.needed for setting in known.settings if setting.shape.secret):
        plan.waiting.append(f"sink {sink.name} needs a secret: add it in the console")
    else:
        plan.add(place, f"sink {sink.name}: {sink.kind}", partial(_add_sink, sink=sink))


def _differences(sink: DeclaredSink, row: Sink) -> str:
    """As far as the file says something. Secrets and addresses stay where they are."""
    said: list[tuple[str, Any, Any]] = [
        ("kind", row.kind, sink.kind), ("personal", str(row.personal), str(sink.personal)),
        ("codes", sorted(row.codes), sorted(sink.codes)),
        *((name, row.settings.get(name, ""), value) for name, value in sorted(sink.settings.items())),
    ]  # fmt: skip
    return ", ".join(f"{name} is {here}, declared {there}" for name, here, there in said if here != there)


def _add_sink(work: Work, *, sink: DeclaredSink) -> None:
    add_sink(
        actor=work.actor, organisation=work.organisation, name=sink.name, kind=sink.kind, settings=sink.settings,
        wanted=Wanted(sink.personal, sink.codes, Severity.INFORMATIONAL),
    )  # fmt: skip


def _plan_notice(declared: dict[str, DeclaredAnswers], there: Around, plan: Plan) -> None:
    if not declared:
        return
    if missing := sorted(set(Language.values) ^ declared.keys()):
        plan.faults.append(f"notice: {', '.join(missing)}: a notice is in {', '.join(Language.values)}")
        return
    given = {language: msgspec.structs.asdict(answers) for language, answers in declared.items()}
    try:
        wanted = {language: cleaned_answers(answers) for language, answers in given.items()}
    except BadNotice as error:
        plan.faults.append(f"notice: {error}")
        return
    act = partial(_publish, answers=wanted)
    if not there.notice:
        plan.add("notice", "notice, read before work begins", act)
    elif there.notice != wanted:
        plan.change("notice", "notice: another version, read before work begins anew", act)


def _publish(work: Work, *, answers: dict[str, dict[str, str]]) -> None:
    publish_notice(actor=work.actor, organisation=work.organisation, answers=answers)


def _plan_delegation(place: str, one: DeclaredDelegation, row: Delegation | None, plan: Plan) -> None:
    wanted = {*one.powers, *(BUILDS_ON[power] for power in one.powers if power in BUILDS_ON)}
    text = " ".join(power for power in Power if power in wanted)
    act = partial(_delegate, one=one)
    if row is None:
        plan.add(place, f"delegation to {one.provider}: {text}", act)
    elif set(row.powers) != wanted:
        plan.change(place, f"delegation to {row.provider.name}: {' '.join(row.powers)} → {text}", act)


def _delegate(work: Work, *, one: DeclaredDelegation) -> None:
    delegating.delegate(
        actor=work.actor, organisation=work.organisation, provider=one.provider, powers=one.powers,
        incident_hours=one.incident_hours,
    )  # fmt: skip
