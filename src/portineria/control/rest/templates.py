# SPDX-License-Identifier: Apache-2.0
"""The template of an organisation, in the words of `portineria apply`: kept, compared with what is there, applied."""

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.declaration import template as services
from portineria.control.declaration.operation import hold
from portineria.control.identity.authority import administers, organisation_of, require
from portineria.control.identity.models import Organisation, Person
from portineria.control.identity.template_models import Template
from portineria.control.rest.caller import Scope, person_of, require_recent_proof
from portineria.control.rest.operation import Given, Id, acts, reads, tries
from portineria.core.errors import NotFound

router = Router(tags=["template"])
_CHARACTERS = 60_000  # what a body may be (body_limit); a larger one goes by the console


class TemplateView(Schema):
    """``content``: TOML or YAML; empty, and ``kept_at`` null, where none is kept."""

    organisation: str
    content: str
    kept_at: datetime | None
    kept_by: str | None


def _owner(actor: Person, organisation: str) -> Organisation:
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, administers)
    return owner


def _view(owner: Organisation, row: Template | None) -> TemplateView:
    return TemplateView(
        organisation=owner.public_id, content=bytes(row.content).decode() if row else "",
        kept_at=row.kept_at if row else None, kept_by=row.kept_by.public_id if row else None,
    )  # fmt: skip


@reads(router, "/templates/{organisation}", TemplateView)
def template(request: HttpRequest, organisation: Id) -> TemplateView:
    """For those who administer."""
    actor = person_of(request)
    owner = _owner(actor, organisation)
    return _view(owner, services.template_of(actor, owner))


class NewTemplate(Given):
    content: str = Field(
        min_length=1, max_length=_CHARACTERS, description="TOML or YAML, as `portineria apply` reads it."
    )


class TemplateKept(Schema):
    organisation: str
    kept_at: datetime


@acts(router, "/templates/{organisation}", TemplateKept, Scope.ADMINISTER)
def template_keep(request: HttpRequest, organisation: Id, given: NewTemplate) -> TemplateKept:
    """In place of the one before; nothing else is changed. One that is refused says each of its `faults`."""
    actor = person_of(request)
    row = services.keep(actor=actor, owner=_owner(actor, organisation), content=given.content.encode())
    return TemplateKept(organisation=organisation, kept_at=row.kept_at)


class Drift(Schema):
    """What applying it would add and change; what waits for its gateway, what is kept otherwise, what is there and not
    declared. ``ending``: open sessions that it would end. ``seal``: of exactly this, for `apply`.
    """

    organisation: str
    added: list[str]
    changed: list[str]
    waiting: list[str]
    kept: list[str]
    untouched: list[str]
    ending: list[str]
    seal: str


def _kept(actor: Person, organisation: str) -> Template:
    row = services.template_of(actor, _owner(actor, organisation))
    if row is None:
        raise NotFound(f"template of {organisation}")
    return row


@tries(router, "/templates/{organisation}/compare", Drift, Scope.ADMINISTER)
def template_compare(request: HttpRequest, organisation: Id) -> Drift:
    """A rehearsal that is taken back; nothing is changed. Where many sessions would end, nothing new begins under their
    rules for five minutes.
    """
    actor = person_of(request)
    row = _kept(actor, organisation)
    found = services.drift(actor, row)
    hold(found)
    return Drift(
        organisation=organisation, added=list(found.added), changed=list(found.changed), waiting=list(found.waiting),
        kept=list(found.kept), untouched=list(found.untouched), ending=[row.public_id for row in found.ending],
        seal=services.seal(row, found),
    )  # fmt: skip


class Sealed(Given):
    seal: str = Field(max_length=64, description="As `compare` said it.")


class TemplateApplied(Schema):
    """``invitations``: e-mail address of each new person → where they set a password. In this answer and nowhere
    else.
    """

    organisation: str
    invitations: dict[str, str]


@tries(router, "/templates/{organisation}/apply", TemplateApplied, Scope.ADMINISTER)
def template_apply(request: HttpRequest, organisation: Id, given: Sealed) -> TemplateApplied:
    """Exactly what was compared, or nothing. No key keeps its answer. Asks for a proof of a moment ago, as inviting
    does.
    """
    actor = person_of(request)
    row = _kept(actor, organisation)
    require_recent_proof(request)
    invited = services.apply_template(actor=actor, template=row, seen=given.seal)
    return TemplateApplied(organisation=organisation, invitations=invited)
