# SPDX-License-Identifier: Apache-2.0
"""Keeping a search of the register, for oneself or for everybody who reads that register too."""

from django.db import transaction
from django.db.models import Q

from portineria.control.audit import services as audit
from portineria.control.identity.authority import DeniedHere, administers, organisation_of, require, works_here
from portineria.control.identity.models import Person
from portineria.control.identity.saved_models import (
    NAME_CHARACTERS,
    QUERY_CHARACTERS,
    SavedSearch,
    SavedSearchQuerySet,
)
from portineria.control.identity.services import NameTaken, clean_name
from portineria.core.errors import Conflict, Invalid, NotFound

MOST = 50  # of one person in one organisation
MOST_SHARED = 200  # of one organisation


class NotASearch(Invalid):
    code = "identity.search.empty"


class TooManySearches(Conflict):
    code = "identity.search.too-many"


def searches(actor: Person) -> SavedSearchQuerySet:
    """By name."""
    found = SavedSearch.objects.visible_to(actor).select_related("person", "organisation")
    return found.order_by("name", "pk")


def search(actor: Person, public_id: str) -> SavedSearch:
    """Raise NotFound."""
    found = searches(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"search {public_id}")
    return found


@transaction.atomic
def save_search(*, actor: Person, organisation: str, name: str, query: str, shared: bool) -> SavedSearch:
    """Raise NotFound, NotASearch, NameTaken, TooManySearches."""
    owner = organisation_of(actor, organisation)
    require(actor, owner.pk, works_here)
    name = clean_name(name, characters=NAME_CHARACTERS)
    if not 0 < len(query) <= QUERY_CHARACTERS:
        raise NotASearch(f"a search of {len(query)} characters")
    if SavedSearch.objects.filter(person=actor, organisation=owner, name=name).exists():
        raise NameTaken(f"search {name!r}")
    own = SavedSearch.objects.filter(person=actor, organisation=owner).count()
    others = SavedSearch.objects.filter(organisation=owner, shared=True).count() if shared else 0
    if own >= MOST or others >= MOST_SHARED:
        raise TooManySearches(f"{own} searches of {actor.public_id}, {others} shared")
    made = SavedSearch.objects.create(person=actor, organisation=owner, name=name, query=query, shared=shared)
    _record("audit.search.saved", actor, made, shared=shared)
    return made


@transaction.atomic
def remove_search(*, actor: Person, search: str) -> None:
    """By whose it is; a shared one by whoever administers too. Raise NotFound, DeniedHere."""
    visible = SavedSearch.objects.visible_to(actor).filter(public_id=search).values("pk")
    row = SavedSearch.objects.select_for_update(no_key=True).filter(Q(pk__in=visible)).first()
    if row is None:
        raise NotFound(f"search {search}")
    role = actor.role_in(row.organisation_id)
    if row.person_id != actor.pk and (role is None or not administers(role)):
        raise DeniedHere("this search is somebody else's", row.organisation_id)
    _record("audit.search.removed", actor, row)
    row.delete()


def _record(code: str, actor: Person, row: SavedSearch, **fields: bool) -> None:
    """With its name only where others know it too: all of them read the register."""
    audit.record(
        code, organisation=row.organisation.public_id, actor=actor.public_id, about=row.person.public_id,
        search=row.public_id, name=row.name if row.shared else "", **fields,
    )  # fmt: skip
