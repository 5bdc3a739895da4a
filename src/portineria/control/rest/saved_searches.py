# SPDX-License-Identifier: Apache-2.0
"""Searches of the register that somebody keeps."""

from datetime import date, datetime

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from portineria.control.console.event_forms import EventFilter
from portineria.control.identity import saved_searches as services
from portineria.control.identity.authority import organisation_of, require, works_here
from portineria.control.identity.saved_models import NAME_CHARACTERS, SavedSearch
from portineria.control.identity.services import BadField
from portineria.control.rest.caller import Scope, person_of
from portineria.control.rest.leaves import Leaf, Where, leaf
from portineria.control.rest.operation import Given, Id, acts, reads

router = Router(tags=["register"])


class SavedSearchView(Schema):
    """``query``: as `/events` takes it."""

    search: str
    organisation: str
    person: str
    name: str
    query: str
    shared: bool
    made_at: datetime


def _view(row: SavedSearch) -> SavedSearchView:
    return SavedSearchView(
        search=row.public_id, organisation=row.organisation.public_id, person=row.person.public_id, name=row.name,
        query=row.query, shared=row.shared, made_at=row.made_at,
    )  # fmt: skip


@reads(router, "/saved-searches", Leaf[SavedSearchView])
def saved_searches(request: HttpRequest, place: Where) -> Leaf[SavedSearchView]:
    """The caller's own, and those that colleagues share."""
    actor = person_of(request)
    found = services.searches(actor).select_related("organisation", "person")
    return leaf(actor, "saved searches", found, place, lambda rows: [_view(row) for row in rows])


class SearchWords(Given):
    """As `/events` takes it."""

    text: str = Field(default="", max_length=200)
    person: str = Field(default="", max_length=120)
    machine: str = Field(default="", max_length=120)
    supplier: str = Field(default="", max_length=120)
    gateway: str = Field(default="", max_length=120)
    session: str = Field(default="", max_length=24)
    code: str = Field(default="", max_length=60)
    since: date | None = None
    before: date | None = None


class NewSavedSearch(Given):
    """``shared``: with all of the organisation who read its register."""

    organisation: str = Field(max_length=24)
    name: str = Field(min_length=1, max_length=NAME_CHARACTERS)
    search: SearchWords
    shared: bool = False


@acts(router, "/saved-searches", SavedSearchView, Scope.PERSONAL)
def search_save(request: HttpRequest, given: NewSavedSearch) -> SavedSearchView:
    actor = person_of(request)
    require(actor, organisation_of(actor, given.organisation).pk, works_here)  # before names are looked for
    asked = given.search.model_dump()
    form = EventFilter({name: value if value is not None else "" for name, value in asked.items()}, actor=actor)
    if not form.is_valid():
        raise BadField("sought", ", ".join(sorted(form.errors)))
    made = services.save_search(
        actor=actor, organisation=given.organisation, name=given.name, query=form.address(), shared=given.shared
    )
    return _view(made)


class SearchRemoved(Schema):
    search: str


@acts(router, "/saved-searches/{search}/remove", SearchRemoved, Scope.PERSONAL)
def search_remove(request: HttpRequest, search: Id) -> SearchRemoved:
    """By whose it is; a shared one by whoever administers too."""
    services.remove_search(actor=person_of(request), search=search)
    return SearchRemoved(search=search)
