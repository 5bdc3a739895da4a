# SPDX-License-Identifier: Apache-2.0
"""The report of one session, as its page, its PDF and the evidence show it to one reader, in the language of now."""

from dataclasses import dataclass
from datetime import datetime

from portineria.control.access.models import AccessRequest
from portineria.control.console import functions, texts
from portineria.control.console.queries import Seen
from portineria.control.estate import queries as estate
from portineria.control.identity.models import Person
from portineria.control.remote_sessions import queries as remote_sessions
from portineria.control.remote_sessions.models import Recording, Session
from portineria.control.remote_sessions.scope import proof_levels
from portineria.control.remote_sessions.service_report import State, state_in, told_of
from portineria.control.remote_sessions.work import Work
from portineria.policy.proof_level import ProofLevel


@dataclass(frozen=True, slots=True)
class Decision:
    by: str
    at: datetime
    approved: bool
    reason: str
    level: int  # that it was said for, of so many; 0: of none
    of_levels: int


@dataclass(frozen=True, slots=True)
class WorkReport:
    seen: Seen
    request: AccessRequest
    decisions: list[Decision]
    profiles: list[functions.Shown]
    work: Work
    services: dict[str, str]
    recordings: list[Recording]
    state: State
    first: list[tuple[str, str]]
    proof_levels: list[tuple[str, ProofLevel]]

    @property
    def session(self) -> Session:
        return self.seen.session

    @property
    def supplier(self) -> str:
        return self.seen.supplier.name if self.seen.supplier else ""

    @property
    def kinds(self) -> list[tuple[str, int]]:
        return [(texts.kind(kind), count) for kind, count in self.work.kinds]

    def service(self, public_id: str) -> str:
        return self.services.get(public_id, public_id)


def report_of(actor: Person, public_id: str) -> WorkReport:
    """Raise NotFound."""
    session = remote_sessions.reported(actor, public_id)
    told = told_of(actor, session)
    return WorkReport(
        seen=Seen(session, actor),
        request=session.grant.request,
        decisions=[
            Decision(row.decided_by.name, row.decided_at, row.approved, row.reason, row.level, row.of_levels)
            for row in told.approvals
        ],
        profiles=functions.held_in(session),
        work=told.work,
        services={service.public_id: service.name for service in estate.services_of(session.machine)},
        recordings=list(remote_sessions.recordings(actor, public_id)) if told.recordings else [],
        state=state_in(actor, session, told),
        first=told.first,
        proof_levels=proof_levels(session),
    )
