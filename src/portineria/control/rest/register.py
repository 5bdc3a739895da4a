# SPDX-License-Identifier: Apache-2.0
"""The register: looked through and proven. That somebody looked is an event of it."""

from datetime import date, datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Path, Query, Router, Schema
from pydantic import Field

from portineria.control.audit import queries as audit
from portineria.control.audit.queries import EventView
from portineria.control.console import event_search
from portineria.control.console.event_forms import EventFilter
from portineria.control.identity import register
from portineria.control.identity.reading import note_event_read
from portineria.control.identity.services import BadField
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf
from portineria.control.rest.operation import Id, acts, reads

router = Router(tags=["register"])
Seq = Annotated[int, Path(ge=1, lt=1 << 62)]


class RegisterEvent(Schema):
    """``fields``: null where the value is secret or was erased."""

    organisation: str
    seq: int
    at: datetime
    code: str
    actor: str
    fields: dict[str, Any]
    leaf_sha256: str


class Sought(Schema):
    """Names or ids; days in the zone of the plant that is named, or in the caller's."""

    text: str = Field(default="", max_length=200)
    person: str = Field(default="", max_length=120)
    machine: str = Field(default="", max_length=120)
    supplier: str = Field(default="", max_length=120)
    gateway: str = Field(default="", max_length=120)
    session: str = Field(default="", max_length=24)
    code: str = Field(default="", max_length=60)
    since: date | None = None
    before: date | None = Field(default=None, description="The last day, which belongs to it.")
    cursor: str = Field(default="", max_length=60)


def _event_view(view: EventView) -> RegisterEvent:
    return RegisterEvent(
        organisation=view.organisation, seq=view.seq, at=view.at, code=view.code, actor=view.actor,
        fields=view.fields, leaf_sha256=view.leaf_sha256,
    )  # fmt: skip


@reads(router, "/events", Leaf[RegisterEvent])
def events(request: HttpRequest, sought: Query[Sought]) -> Leaf[RegisterEvent]:
    """Newest first, fifty at a time."""
    actor = person_of(request)
    asked = sought.model_dump(exclude={"cursor"})
    form = EventFilter({name: value if value is not None else "" for name, value in asked.items()}, actor=actor)
    if not form.is_valid():
        raise BadField("sought", ", ".join(sorted(form.errors)))
    found = event_search.search(actor, form, {"older": sought.cursor})
    views = audit.views(found.leaf.events)
    return Leaf(items=[_event_view(view) for view in views], next=found.older or None)


@reads(router, "/events/{organisation}/{seq}", RegisterEvent)
def event(request: HttpRequest, organisation: Id, seq: Seq) -> RegisterEvent:
    actor = person_of(request)
    row = audit.event(actor, organisation, seq)
    note_event_read(actor=actor, organisation=organisation, seq=seq)
    return _event_view(audit.views([row])[0])


class ProofView(Schema):
    """``proof``: one line, as a file for `portineria ledger verify`."""

    proof: str


@acts(router, "/events/{organisation}/{seq}/proof", ProofView, Scope.READ)
def event_proof(request: HttpRequest, organisation: Id, seq: Seq) -> ProofView:
    line = register.prove_event(actor=person_of(request), organisation=organisation, seq=seq)
    return ProofView(proof=line.decode())
