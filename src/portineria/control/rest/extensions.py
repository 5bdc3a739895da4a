# SPDX-License-Identifier: Apache-2.0
"""More time for work that runs: asked for by whoever works, decided by whoever may approve."""

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema

from portineria.control.access import extending
from portineria.control.access.extension import Extension
from portineria.control.identity.models import Person
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, Reason, acts, reads
from portineria.control.rest.requests import Minutes

router = Router(tags=["requests"])


class ExtensionView(Schema):
    """``ends_at``: of the grant, as it is now. ``decided_by``: null where nobody did, or nobody has to."""

    extension: str
    grant: str
    request: str
    machine: str
    person: str
    person_name: str
    state: str
    minutes: int
    reason: str
    asked_at: datetime
    ends_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    answer: str


def _view(row: Extension) -> ExtensionView:
    return ExtensionView(
        extension=row.public_id, grant=row.grant.public_id, request=row.grant.request.public_id,
        machine=row.machine.public_id, person=row.person.public_id, person_name=row.person.name, state=row.state,
        minutes=row.minutes, reason=row.reason, asked_at=row.asked_at, ends_at=row.grant.ends_at,
        decided_by=row.decided_by.public_id if row.decided_by else None, decided_at=row.decided_at, answer=row.answer,
    )  # fmt: skip


def _shown(actor: Person, extension: str) -> ExtensionView:
    return _view(extending.extension(actor, extension))


@reads(router, "/extensions", Leaf[ExtensionView])
def extensions(request: HttpRequest, place: Where) -> Leaf[ExtensionView]:
    """Newest first: of the organisations whose staff the caller is, and their own."""
    actor = person_of(request)
    return leaf(
        actor, "extensions", extending.extensions(actor), place, lambda rows: [_view(row) for row in rows],
        newest_first=True,
    )  # fmt: skip


@reads(router, "/extensions/{extension}", ExtensionView)
def one_extension(request: HttpRequest, extension: Id) -> ExtensionView:
    return _shown(person_of(request), extension)


class MoreTime(Reason):
    minutes: Minutes


@acts(router, "/grants/{grant}/extensions", ExtensionView, Scope.ASK)
def extension_ask(request: HttpRequest, grant: Id, given: MoreTime) -> ExtensionView:
    """By whoever the grant is for, once at a time. Where the rule needs no approval it is given at once."""
    actor = person_of(request)
    made = extending.ask_for_more(actor=actor, grant=grant, minutes=given.minutes, reason=given.reason)
    return _shown(actor, made.public_id)


class Yes(Given):
    """Nothing: a yes is to what was asked for. `POST /grants/{grant}/extend` gives less, and answers it too."""


@acts(router, "/extensions/{extension}/approve", ExtensionView, Scope.APPROVE)
def extension_approve(request: HttpRequest, extension: Id, given: Yes) -> ExtensionView:
    """By whoever may approve, and never by whoever works."""
    actor = person_of(request)
    extending.agree_to_more(actor=actor, extension=extension)
    return _shown(actor, extension)


class Nothing(Given):
    """Whoever asked asks no longer."""


@acts(router, "/extensions/{extension}/refuse", ExtensionView, Scope.APPROVE)
def extension_refuse(request: HttpRequest, extension: Id, given: Reason) -> ExtensionView:
    actor = person_of(request)
    extending.refuse_more(actor=actor, extension=extension, reason=given.reason)
    return _shown(actor, extension)


@acts(router, "/extensions/{extension}/withdraw", ExtensionView, Scope.ASK)
def extension_withdraw(request: HttpRequest, extension: Id, given: Nothing) -> ExtensionView:
    """By whoever asked, while nobody has decided."""
    actor = person_of(request)
    extending.withdraw_more(actor=actor, extension=extension)
    return _shown(actor, extension)
