# SPDX-License-Identifier: Apache-2.0
"""Lists that an authority or an auditor asks for: as a page, as a PDF, and as a table with what proves it."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from django.utils import timezone
from django.utils.translation import gettext as _

from portineria.control.audit.models import Event
from portineria.control.console.report_sections import Section
from portineria.control.identity import register
from portineria.control.identity.models import Person
from portineria.core.errors import Conflict
from portineria.ledger import evidence as e
from portineria.ledger import extract
from portineria.sinks.extract import harmless
from portineria.sinks.outgoing import printable

MOST = 5000  # rows; as of an extract of the register
SHOWN = 100  # rows of a page
_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"  # without it a spreadsheet takes UTF-8 for its system's old encoding


class TooManyRows(Conflict):
    code = "audit.report.too-many"
    values = {"most": MOST}  # noqa: RUF012  # of every one of them


@dataclass(frozen=True, slots=True)
class ReadyReport:
    """``events``: those that its rows were read from, oldest first. ``asked``: as the address of its page says."""

    name: str
    title: str
    organisation: str
    facts: list[tuple[str, str]]
    head: list[str]
    rows: list[list[str]]
    events: Sequence[Event] = ()
    asked: str = ""
    more: int = 0  # rows that are left out, where only some were wanted

    def check(self) -> None:
        """Raise TooManyRows: a list that ends before its end would say something false."""
        if len(self.rows) + self.more > MOST:
            raise TooManyRows(f"more than {MOST} rows")

    def sections(self) -> list[Section]:
        note = "" if self.rows else _("There is nothing to list.")
        if self.more:
            note = _("The first %(count)d; the files hold %(more)d more.") % {
                "count": len(self.rows), "more": self.more,
            }  # fmt: skip
        return [
            Section(_("About this list"), facts=self.facts),
            Section(self.title, head=self.head, rows=self.rows, note=note),
        ]


def taken_out(actor: Person, report: ReadyReport) -> tuple[str, bytes]:
    """Name and content of one signed file: the table, the PDF, and why each event stands in the register.

    That it was taken, with the hash of its table, is an event among them: so the register says when it said this.
    Raise NotFound, TooManyRows, BrokenChain.
    """
    now = timezone.now()
    table = as_csv(report)
    _name, pdf = on_paper(report)
    proofs = register.take_report(
        actor=actor, organisation=report.organisation, events=report.events, report=report.name,
        entries=len(report.rows), table_sha256=sha256(table).hexdigest(),
    )  # fmt: skip
    members = {f"{report.name}.csv": table, f"{report.name}.pdf": pdf, e.REGISTER: proofs}
    made_at = now.isoformat(timespec="seconds")
    asked = f"{report.name}?{report.asked}"[:4096]
    manifest = extract.manifest_of(report.organisation, made_at, len(report.events) + 1, asked, members)
    note = register.Seal().attested(report.organisation, extract.statement(report.organisation, manifest))
    return f"{report.name}-{now:%Y%m%d-%H%M%S}.zip", extract.packed(manifest, note, members)


def on_paper(report: ReadyReport) -> tuple[str, bytes]:
    """Name and content. Raise TooManyRows."""
    from portineria.control.console.report_pdf import report_pdf  # loaded here, as for service reports

    report.check()
    pdf = report_pdf(report.organisation, report.sections(), title=report.title, wide=True)
    return f"{report.name}-{timezone.now():%Y%m%d}.pdf", pdf


def as_csv(report: ReadyReport) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([[harmless(_one_line(cell)) for cell in row] for row in (report.head, *report.rows)])
    return (_MARK + text.getvalue()).encode()


def _one_line(cell: str) -> str:
    return printable(cell.replace("\n", "; "))
