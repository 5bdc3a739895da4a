# SPDX-License-Identifier: Apache-2.0
"""A session's report as titles, facts and tables in words: what its page, its PDF and the evidence have in common."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from portineria.control.console import texts
from portineria.control.console.templatetags.console import dated, size, zone_of
from portineria.control.console.texts.left_out import left_out
from portineria.control.console.texts.profiles import PROOF
from portineria.control.console.texts.values import SIDES
from portineria.control.console.work_report import Decision, WorkReport
from portineria.control.identity.models import Person
from portineria.control.remote_sessions.models import WorkKind
from portineria.control.remote_sessions.work import Transferred
from portineria.protocols.operation import Kind

NOBODY_KNOWS = "—"


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""

    @property
    def cells(self) -> list[list[tuple[str, str]]]:
        """Each with the head of its column, as narrow screens show it."""
        return [list(zip(self.head, row, strict=True)) for row in self.rows]


def sections(report: WorkReport, actor: Person) -> list[Section]:
    """In the language of now, and in the plant's time zone where the reader may know it."""
    with timezone.override(zone_of(report.seen.place.zone or actor.time_zone)):
        return [section for section in _sections(report) if section.facts or section.rows or section.note]


def _sections(report: WorkReport) -> Iterator[Section]:
    yield _about(report)
    yield _permission(report)
    yield _seen(report)
    yield _done(report)
    yield _changes(report)
    yield _blocks(report)
    yield _first(report)
    yield _refused(report)
    yield _left_out(report)
    yield _remarks(report)
    yield _proof(report)
    yield _signatures(report)


def _at(moment: datetime | None) -> str:
    return dated(moment) if moment else NOBODY_KNOWS


def _about(report: WorkReport) -> Section:
    session, place = report.session, report.seen.place
    facts = [(_("Who"), session.person.name)]
    if report.supplier:
        facts.append((_("Supplier"), report.supplier))
    facts += [
        (_("Machine"), " · ".join(part for part in (place.name, place.tag, *place.within) if part)),
        (_("Reason"), " · ".join(part for part in (report.request.listed_reason, report.request.reason) if part)),
        (_("Inside since"), _at(session.live_at)),
        (_("Ended"), _at(session.ended_at)),
    ]
    if session.ending:
        facts.append((_("How it ended"), texts.ending(session.ending)))
    if report.seen.ended_because:
        facts.append((_("Why"), ", ".join(report.seen.ended_because)))
    return Section(_("Session"), facts)


def _permission(report: WorkReport) -> Section:
    facts = [(_("Asked"), _at(report.request.made_at))]
    for decision in report.decisions:
        label = _("Approved by") if decision.approved else _("Refused by")
        words = " · ".join(filter(None, (decision.by, _level(decision), _at(decision.at), decision.reason)))
        facts.append((label, words))
    if not report.decisions:
        facts.append((_("Approved by"), _("the rule: it asks nobody")))
    facts += [(_("Function profile"), f"{one.name} ({one.version}): {'; '.join(one.lines)}") for one in report.profiles]
    return Section(_("Permission"), facts)


def _level(decision: Decision) -> str:
    if not decision.level:
        return ""
    return _("for level %(number)s of %(count)s") % {"number": decision.level, "count": decision.of_levels}


def _seen(report: WorkReport) -> Section:
    """Of each service, as its gateway was ordered: what is missing below was not done, or could not be seen."""
    rows = [[report.service(service), str(PROOF[level])] for service, level in report.proof_levels]
    return Section(_("What could be seen"), head=[_("service"), _("proof level")], rows=rows)


def _done(report: WorkReport) -> Section:
    rows = [[kind, str(count)] for kind, count in report.kinds]
    if rows:
        return Section(_("What was done"), head=[_("what"), _("times")], rows=rows, note=_beyond(report))
    if report.work.told:
        return Section(_("What was done"), note=_("Nothing."))
    if report.session.open:
        return Section(_("What was done"), note=_("The gateway sums up when the session is over."))
    return Section(_("What was done"), note=_("The gateway told nothing: only inspected services can be summed up."))


def _beyond(report: WorkReport) -> str:
    count = report.work.beyond
    return _("%(count)d more found no line in this report.") % {"count": count} if count else ""


def _times(count: int, unconfirmed: int) -> str:
    if not unconfirmed:
        return str(count)
    return _("%(count)d, of them %(unconfirmed)d not confirmed by the device") % {
        "count": count, "unconfirmed": unconfirmed,
    }  # fmt: skip


def _changes(report: WorkReport) -> Section:
    rows = [
        [
            report.service(line.service), line.function, " › ".join(filter(None, (line.route, line.targets))),
            line.before or NOBODY_KNOWS, line.after or NOBODY_KNOWS, _times(line.count, line.unconfirmed),
        ]
        for line in report.work.changed
    ]  # fmt: skip
    head = [_("service"), _("function"), _("target"), _("value before"), _("value after"), _("times")]
    return Section(_("Changes"), head=head, rows=rows)


def _blocks(report: WorkReport) -> Section:
    rows = [
        [
            report.service(line.service),
            _carried(line),
            line.block,
            size(line.size),
            line.sha256 if line.whole else f"{line.sha256} ({_('not to its end')})",
        ]
        for line in report.work.transferred
    ]
    named, sized = _("block or file"), pgettext("of a program block", "size")
    head = [_("service"), _("what"), named, sized, _("SHA-256 of the content")]
    return Section(_("Program blocks and files"), head=head, rows=rows)


def _carried(line: Transferred) -> str:
    """Of a program its kind says which way."""
    if line.operation in (Kind.PROGRAM_READ, Kind.PROGRAM_WRITE) or line.into_device is None:
        return texts.kind(line.operation)
    return _("file into the device") if line.into_device else _("file out of the device")


def _first(report: WorkReport) -> Section:
    labels = {
        WorkKind.FUNCTION: _("functions used for the first time"),
        WorkKind.TARGET: _("changed for the first time"),
    }
    names = {kind: [name for of, name in report.first if of == kind] for kind in labels}
    facts = [(label, "\n".join(names[kind])) for kind, label in labels.items() if names[kind]]
    return Section(_("New for this supplier on this machine"), facts)


def _refused(report: WorkReport) -> Section:
    rows = [
        [
            report.service(line.service),
            line.function,
            line.targets,
            ", ".join(texts.reason(word) for word in line.reason.split()),
            str(line.count),
        ]
        for line in report.work.refused
    ]
    head = [_("service"), _("function"), _("target"), _("why"), _("times")]
    return Section(_("Refused operations"), head=head, rows=rows)


def _left_out(report: WorkReport) -> Section:
    rows = [
        [report.service(line.service) or NOBODY_KNOWS, left_out(line.rule), str(line.count), size(line.size)]
        for line in report.work.left_out
    ]
    head = [_("service"), _("what"), _("times"), pgettext("of a program block", "size")]
    return Section(_("Left out of the recording"), head=head, rows=rows)


def _remarks(report: WorkReport) -> Section:
    state = report.state
    said = ((_("Of who worked"), state.technician_remarks), (_("Of the plant"), state.owner_remarks))
    return Section(_("Remarks"), [(label, text) for label, text in said if text])


def _signatures(report: WorkReport) -> Section:
    facts = [
        (
            str(SIDES[one.side]),
            " · ".join((one.name, _at(one.at), _("of this text") if one.holds else _("of an earlier text"))),
        )
        for one in report.state.signatures
    ]
    if facts:
        facts.append((_("SHA-256 of the text"), report.state.sha256))
    return Section(_("Signatures"), facts)


def _proof(report: WorkReport) -> Section:
    session = report.session
    facts = [(_("Id"), session.public_id)]
    if session.receipt:
        facts.append((_("Receipt"), _("event %(number)s") % {"number": session.receipt.seq}))
    facts += [
        (_("Recording"), f"{row.public_id} · {row.chunks} · {bytes(row.head).hex()}") for row in report.recordings
    ]
    return Section(_("Proof"), facts)
