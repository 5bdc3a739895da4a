# SPDX-License-Identifier: Apache-2.0
"""The service report of a session: what people remark on it, and that both sides stand by one and the same text."""

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.identity.models import Person
from portineria.control.remote_sessions import service_report as services
from portineria.control.remote_sessions.service_report import REMARKS_CHARACTERS
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.operation import Given, Id, acts, reads

router = Router(tags=["sessions"])
Sha256 = Annotated[str, Field(max_length=64, description="Of the text that was read; of another one nothing is done.")]


class SignatureView(Schema):
    """``holds``: it is of the text as it is now."""

    side: str
    name: str
    at: datetime
    holds: bool


class ReportView(Schema):
    """``text``: JSON of all that is signed. ``side``: whose the caller speaks for, empty for neither."""

    session: str
    technician_remarks: str
    owner_remarks: str
    signatures: list[SignatureView]
    text: str
    text_sha256: str
    side: str
    may_sign: bool


def _report(actor: Person, session: str) -> ReportView:
    state = services.state_of(actor, session)
    return ReportView(
        session=session, technician_remarks=state.technician_remarks, owner_remarks=state.owner_remarks,
        signatures=[
            SignatureView(side=one.side, name=one.name, at=one.at, holds=one.holds) for one in state.signatures
        ],
        text=state.text.decode(), text_sha256=state.sha256, side=state.side, may_sign=state.may_sign,
    )  # fmt: skip


@reads(router, "/sessions/{session}/report", ReportView)
def report(request: HttpRequest, session: Id) -> ReportView:
    return _report(person_of(request), session)


class Reported(Schema):
    """`text_sha256`: of the text as it is now."""

    session: str
    text_sha256: str


def _reported(actor: Person, session: str) -> Reported:
    return Reported(session=session, text_sha256=services.state_of(actor, session).sha256)


class Remarks(Given):
    remarks: str = Field(max_length=REMARKS_CHARACTERS)
    text_sha256: Sha256


@acts(router, "/sessions/{session}/report", Reported, Scope.PERSONAL)
def report_remark(request: HttpRequest, session: Id, given: Remarks) -> Reported:
    """Of the caller's side. What was signed of the text before is signed no more."""
    actor = person_of(request)
    services.remark(actor=actor, session=session, remarks=given.remarks, text_sha256=given.text_sha256)
    return _reported(actor, session)


class Signed(Given):
    text_sha256: Sha256


@acts(router, "/sessions/{session}/report/sign", Reported, Scope.APPROVE)
def report_sign(request: HttpRequest, session: Id, given: Signed) -> Reported:
    """By the caller's side, of exactly the text that was read."""
    actor = person_of(request)
    services.sign(actor=actor, session=session, text_sha256=given.text_sha256)
    return _reported(actor, session)
