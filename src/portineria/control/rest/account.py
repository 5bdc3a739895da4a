# SPDX-License-Identifier: Apache-2.0
from django.http import HttpRequest
from ninja import Router, Schema

from portineria.control.identity import queries
from portineria.control.rest.caller import caller_of
from portineria.control.rest.operation import reads

router = Router(tags=["account"])


class MemberOf(Schema):
    organisation: str
    name: str
    role: str


class Me(Schema):
    """``scopes``: what this caller may do at all; ``organisations``: where."""

    person: str
    name: str
    service_account: bool
    scopes: list[str]
    token: str | None
    organisations: list[MemberOf]


@reads(router, "/me", Me)
def me(request: HttpRequest) -> Me:
    who = caller_of(request)
    roles = queries.roles(who.person)
    return Me(
        person=who.person.public_id,
        name=who.person.name,
        service_account=who.person.is_service,
        scopes=sorted(who.scopes),
        token=who.token.public_id if who.token else None,
        organisations=[
            MemberOf(organisation=row.public_id, name=row.name, role=roles[row.public_id].value)
            for row in queries.organisations(who.person)
        ],
    )
