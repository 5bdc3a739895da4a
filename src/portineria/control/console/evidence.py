# SPDX-License-Identifier: Apache-2.0
"""The evidence of one session as a file: what was gathered, and the report that people read, in every language."""

from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portineria.control.console.report_sections import sections
from portineria.control.console.work_report import report_of
from portineria.control.estate.introduction import root_fingerprint
from portineria.control.identity.models import Person
from portineria.control.identity.register import Seal
from portineria.control.remote_sessions.evidence import gather
from portineria.control.remote_sessions.models import Session
from portineria.control.remote_sessions.service_report import state_of
from portineria.ledger import evidence as e
from portineria.ledger.evidence_archive import pack

# A file of its own: no policy of ours stands over it, and it fetches nothing.
_STYLE = SafeString("""
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font-size: 1.1rem; margin: 1.5rem 0 0.5rem; }
dl div { display: flex; gap: 1rem; }
dt { flex: 0 0 11rem; opacity: 0.7; }
dd { margin: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #bbb; padding: 0.3rem 0.6rem 0.3rem 0; text-align: left; vertical-align: top; }
td, dd { overflow-wrap: anywhere; white-space: pre-line; }
caption { display: none; }
""")
_DOCUMENT = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · {session}</title><style>{style}</style></head>
<body><h1>{title}</h1>
{body}</body></html>
"""


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
    members[e.REPORT] = state_of(actor, session).text
    for language in e.LANGUAGES:
        members[e.report_name(language)] = _readable(actor, session, language)
    organisation = gathered.session.organisation.public_id
    made_at = timezone.now().isoformat(timespec="seconds")
    manifest = e.manifest_of(organisation, session, made_at, members)
    note = Seal().attested(organisation, e.statement(session, manifest))
    return Bundle(f"{session}.evidence.zip", pack({e.MANIFEST: manifest, e.NOTE: note.encode(), **members}))


def _readable(actor: Person, session: str, language: str) -> bytes:
    with translation.override(language):
        found = sections(report_of(actor, session), actor)
        body = SafeString(render_to_string("console/parts/report.html", {"sections": found}))
        title = _("Service report")
        return format_html(_DOCUMENT, language=language, title=title, session=session, style=_STYLE, body=body).encode()
