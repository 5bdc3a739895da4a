# SPDX-License-Identifier: Apache-2.0
"""The evidence of one session as a file: what was gathered, and the report that people read, in every language."""

from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils import timezone, translation

from portineria.control.console.report_sections import sections
from portineria.control.console.work_report import report_of
from portineria.control.estate.introduction import root_fingerprint
from portineria.control.identity.models import Person
from portineria.control.identity.register import Seal
from portineria.control.remote_sessions.evidence import gather
from portineria.control.remote_sessions.models import Session
from portineria.ledger import evidence as e
from portineria.ledger.evidence_archive import pack


@dataclass(frozen=True, slots=True)
class Bundle:
    name: str
    content: bytes


def evidence_command(session: Session) -> str:
    """By which anybody checks it; the root as this server shows it."""
    return f'portineria evidence verify {session.public_id}.evidence.zip --root "{root_fingerprint()}"'


def bundle(*, actor: Person, session: str) -> Bundle:
    """Taking it is an event, which is in it. Raise NotFound, SessionStillOpen, BrokenChain."""
    gathered = gather(actor=actor, session=session)
    members = gathered.members
    for language in e.LANGUAGES:
        members[e.report_name(language)] = _readable(actor, session, language)
    organisation = gathered.session.organisation.public_id
    made_at = timezone.now().isoformat(timespec="seconds")
    manifest = e.manifest_of(organisation, session, made_at, members)
    note = Seal().attested(organisation, e.statement(session, manifest))
    return Bundle(f"{session}.evidence.zip", pack({e.MANIFEST: manifest, e.NOTE: note.encode(), **members}))


def _readable(actor: Person, session: str, language: str) -> bytes:
    with translation.override(language):
        report = report_of(actor, session)
        context = {"report": report, "sections": sections(report, actor), "language": language}
        return render_to_string("console/report_document.html", context).encode()
