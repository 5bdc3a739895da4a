# SPDX-License-Identifier: Apache-2.0
"""Reading the register is itself an event: who looked at what of it, and which words they searched for.

Once for each reader and question in ten minutes: an open page that asks again by itself, and leaves that are turned,
say nothing new. What one process has noted another may note once more: too many is better than none.
"""

from collections.abc import Collection
from hashlib import sha256

from django.core.cache import cache
from django.db import transaction

from portineria.control.audit.drafts import draft
from portineria.control.audit.grouping import record_alone
from portineria.control.audit.services import record
from portineria.control.identity.models import Person
from portineria.core.event import Value
from portineria.ledger.verification import Verdict

AGAIN_S = 600


def note_reading(
    code: str, /, *, actor: Person, organisations: Collection[str], about: str = "", **fields: Value
) -> None:
    """Before anything is shown: what cannot be noted is not shown. ``about``: whose personal data the search is."""
    key = _key(code, actor, organisations, fields)
    if cache.get(key):
        return
    whose = about or actor.public_id
    record_alone(
        [
            draft(code, organisation=organisation, actor=actor.public_id, about=whose, **fields)
            for organisation in sorted(organisations)
        ]
    )
    cache.set(key, True, AGAIN_S)


def _key(code: str, actor: Person, organisations: Collection[str], fields: dict[str, Value]) -> str:
    said = repr((code, actor.public_id, sorted(organisations), sorted(fields.items())))
    return f"read:{sha256(said.encode('utf-8', 'replace')).hexdigest()}"


def note_event_read(*, actor: Person, organisation: str, seq: int) -> None:
    note_reading("audit.event.read", actor=actor, organisations=[organisation], seq=seq)


def note_report_read(*, actor: Person, organisation: str, report: str, **days: str) -> None:
    note_reading("audit.report.read", actor=actor, organisations=[organisation], report=report, **days)


def note_checked(*, actor: Person, verdict: Verdict) -> None:
    """Somebody had a file checked here. What the file says of itself stays out of the register."""
    with transaction.atomic():
        for organisation in sorted(actor.event_organisations):
            record(
                "audit.export.checked", organisation=organisation, actor=actor.public_id,
                first=verdict.first, last=verdict.last, faults=len(verdict.faults),
            )  # fmt: skip
