# SPDX-License-Identifier: Apache-2.0
"""Users and Groups of one organisation, and what we say of ourselves (RFC 7644, 3 and 4)."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from scim2_models import (
    Context,
    InvalidValueException,
    ListResponse,
    NotFoundException,
    PatchOp,
    PreconditionFailedException,
    ResourceType,
    Schema,
    SearchRequest,
    TooManyException,
)
from scim2_models.path import Comparison

from portineria.control.identity import directory, directory_groups, directory_queries
from portineria.control.identity.models import Person
from portineria.control.remote_sessions.directory_ends import taken_by_directory
from portineria.control.scim.door import answer, body_of
from portineria.control.scim.outgoing import about_group, about_person, operations_of
from portineria.control.scim.resources import (
    CONFIG,
    MOST_RESULTS,
    PROVIDER,
    Group,
    User,
    base,
    group_of,
    said_of,
    user_of,
    version_of,
    with_defaults,
)

# Made once: the library forgets what it made of a message and a model, and makes it anew in a tenth of a second.
_ASKED: dict[type[Any], Any] = {User: SearchRequest[User], Group: SearchRequest[Group]}
_PATCHES: dict[type[Any], Any] = {User: PatchOp[User], Group: PatchOp[Group]}
_LISTS: dict[type[Any], Any] = {
    User: ListResponse[User], Group: ListResponse[Group], ResourceType: ListResponse[ResourceType],
    Schema: ListResponse[Schema],
}  # fmt: skip
_FILTER_CHARACTERS = 1000
_LOOKED_AT = 2000  # each becomes a message in half a millisecond: a second of the server
# Asked by directories before everything they do: found in an index, where other filters look at everybody.
_INDEXED: dict[tuple[type[Any], str], str] = {
    (User, "username"): "email", (User, "id"): "public_id", (User, "externalid"): "directory__external_id",
    (Group, "displayname"): "name__iexact", (Group, "id"): "public_id", (Group, "externalid"): "external_id",
}  # fmt: skip


def _asked(request: HttpRequest, model: type[User] | type[Group]) -> SearchRequest[Any]:
    """Of a GET's parameters; raise as the library does."""
    given: dict[str, Any] = {name: value for name, value in request.GET.items() if value}
    if len(given.get("filter", "")) > _FILTER_CHARACTERS:
        raise InvalidValueException(detail=f"a filter has at most {_FILTER_CHARACTERS} characters")
    found: SearchRequest[Any] = _ASKED[model].model_validate(given, scim_ctx=Context.SEARCH_REQUEST)
    return found


def _shown(found: User | Group, asked: SearchRequest[Any], status: int = 200) -> HttpResponse:
    context = {200: Context.RESOURCE_QUERY_RESPONSE, 201: Context.RESOURCE_CREATION_RESPONSE}[status]
    said = found.model_dump(scim_ctx=context, response_parameters=asked)
    response = answer(said, status)
    response["ETag"] = version_of(found)
    if status == 201:
        response["Location"] = str(found.meta and found.meta.location)
    return response


def _listed(request: HttpRequest, model: type[Any], rows: QuerySet[Any], shown: Callable[[Any], Any]) -> HttpResponse:
    """Without a filter or an order the database turns the pages."""
    asked = _asked(request, model)
    start, count = asked.start_index_0 or 0, min(MOST_RESULTS, MOST_RESULTS if asked.count is None else asked.count)
    if asked.filter is None and asked.sort_by is None:
        total, page = rows.count(), [shown(row) for row in rows[start : start + count]]
    else:
        found: Iterable[Any] = (shown(row) for row in _narrowed(rows, model, asked))
        fitting = [one for one in found if asked.filter is None or asked.filter.match(one)]
        total, page = len(fitting), asked.sort(fitting)[start : start + count]
    said = _LISTS[model](
        total_results=total, start_index=start + 1, items_per_page=len(page), resources=page
    ).model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=asked)
    return answer(said)


def _narrowed(rows: QuerySet[Any], model: type[Any], asked: SearchRequest[Any]) -> QuerySet[Any]:
    """Fewer rows, none that would fit; whether they fit says the filter itself."""
    if asked.filter is None:
        return _few(rows)
    node = asked.filter.ast
    if isinstance(node, Comparison) and str(node.op).lower().endswith("eq") and isinstance(node.value, str):
        field = _INDEXED.get((model, str(node.attr_path.attr).lower())) if not node.attr_path.sub_attr else None
        if field is not None:
            value = node.value.lower() if field == "email" else node.value  # as it is kept
            return rows.filter(**{field: value}).distinct() if value.isprintable() else rows.none()
    return _few(rows)


def _few(rows: QuerySet[Any]) -> QuerySet[Any]:
    """What no index answers is looked at one by one. Raise TooManyException (RFC 7644, 3.4.2.2)."""
    if rows.count() > _LOOKED_AT:
        raise TooManyException(detail=f"more than {_LOOKED_AT} to look at: filter by userName, externalId or id")
    return rows


def _one(rows: QuerySet[Any], public_id: str) -> Any:
    found = rows.filter(public_id=public_id).first()
    if found is None:
        raise NotFoundException(detail="there is no such resource")
    return found


def _meant(request: HttpRequest, before: User | Group) -> None:
    """Where the directory says which version it saw (RFC 7644, 3.14): raise PreconditionFailedException."""
    wanted = request.headers.get("If-Match", "")
    if wanted not in ("", "*") and version_of(before) not in [one.strip() for one in wanted.split(",")]:
        raise PreconditionFailedException(detail="it was changed meanwhile")


def _fetched(request: HttpRequest, found: User | Group) -> HttpResponse:
    if request.headers.get("If-None-Match", "") == version_of(found):
        response = answer(None, 304)
        response["ETag"] = version_of(found)
        return response
    return _shown(found, _asked(request, type(found)))


# -- people -------------------------------------------------------------------------------------------------------


def _user(actor: Person, public_id: str) -> User:
    return user_of(_one(directory_queries.served_people(actor), public_id))


def _held_user(actor: Person, public_id: str) -> User:
    directory.held(actor=actor, person=public_id)
    return _user(actor, public_id)


def users(request: HttpRequest, actor: Person) -> HttpResponse:
    return _listed(request, User, directory_queries.served_people(actor), user_of)


def user(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    return _fetched(request, _user(actor, public_id))


def user_add(request: HttpRequest, actor: Person) -> HttpResponse:
    asked = _asked(request, User)
    given = User.model_validate(with_defaults(body_of(request)), scim_ctx=Context.RESOURCE_CREATION_REQUEST)
    made = directory.bring(actor=actor, said=said_of(given))
    return _shown(_user(actor, made.public_id), asked, 201)


@transaction.atomic
def user_replace(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    asked, before = _asked(request, User), _held_user(actor, public_id)
    _meant(request, before)
    body = with_defaults(body_of(request), before)
    given = User.model_validate(body, scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST)
    given.replace(before)
    _told(actor, public_id, said_of(given))
    return _shown(_user(actor, public_id), asked)


@transaction.atomic
def user_patch(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    asked, changed = _asked(request, User), _held_user(actor, public_id)
    _meant(request, changed)
    _patched(request, changed)
    _told(actor, public_id, said_of(changed))
    return _shown(_user(actor, public_id), asked)


@transaction.atomic
def user_remove(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    _meant(request, _held_user(actor, public_id))
    taken_by_directory(
        lambda: directory.take_away(actor=actor, person=public_id), actor=actor, about=about_person(public_id)
    )
    return answer(None, 204)


def _told(actor: Person, public_id: str, said: directory.Said) -> None:
    def tell() -> Person:
        return directory.tell(actor=actor, person=public_id, said=said)

    tell() if said.active else taken_by_directory(tell, actor=actor, about=about_person(public_id))


def _patched(request: HttpRequest, before: User | Group) -> None:
    """In memory."""
    body = _as_booleans(body_of(request))
    operations = _PATCHES[type(before)].model_validate(body, scim_ctx=Context.RESOURCE_PATCH_REQUEST)
    operations.patch(before)


def _as_booleans(body: dict[str, Any]) -> dict[str, Any]:
    """Entra ID writes ``"False"`` for false unless its administrator sets a flag (``aadOptscim062020``)."""
    words = {"true": True, "false": False}
    for operation in operations_of(body):
        value, path = operation.get("value"), str(operation.get("path", "")).lower()
        if path == "active" and isinstance(value, str):
            operation["value"] = words.get(value.lower(), value)
        elif isinstance(value, dict):
            for key in [key for key in value if key.lower() == "active" and isinstance(value[key], str)]:
                value[key] = words.get(value[key].lower(), value[key])
    return body


# -- groups -------------------------------------------------------------------------------------------------------


def _group(actor: Person, public_id: str) -> Group:
    return group_of(_one(directory_queries.served_groups(actor), public_id))


def _held_group(actor: Person, public_id: str) -> Group:
    directory_groups.held_group(actor=actor, group=public_id)
    return _group(actor, public_id)


def _said(group: Group) -> dict[str, Any]:
    people = {member.value for member in group.members or [] if member.value}
    return {"name": group.display_name or "", "external_id": group.external_id or "", "people": people}


def groups(request: HttpRequest, actor: Person) -> HttpResponse:
    return _listed(request, Group, directory_queries.served_groups(actor), group_of)


def group(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    return _fetched(request, _group(actor, public_id))


def group_add(request: HttpRequest, actor: Person) -> HttpResponse:
    asked = _asked(request, Group)
    given = Group.model_validate(body_of(request), scim_ctx=Context.RESOURCE_CREATION_REQUEST)
    made = directory_groups.bring_group(actor=actor, **_said(given))
    return _shown(_group(actor, made.public_id), asked, 201)


@transaction.atomic
def group_replace(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    asked, before = _asked(request, Group), _held_group(actor, public_id)
    _meant(request, before)
    given = Group.model_validate(body_of(request), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST)
    given.replace(before)
    _regrouped(actor, public_id, given)
    return _shown(_group(actor, public_id), asked)


@transaction.atomic
def group_patch(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    asked, changed = _asked(request, Group), _held_group(actor, public_id)
    _meant(request, changed)
    _patched(request, changed)
    _regrouped(actor, public_id, changed, body_of(request))
    return _shown(_group(actor, public_id), asked)


@transaction.atomic
def group_remove(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    _meant(request, _held_group(actor, public_id))
    taken_by_directory(
        lambda: directory_groups.take_group_away(actor=actor, group=public_id),
        actor=actor, about=about_group(public_id, set()),
    )  # fmt: skip
    return answer(None, 204)


def _regrouped(actor: Person, public_id: str, given: Group, patch: dict[str, Any] | None = None) -> None:
    said = _said(given)
    taken_by_directory(
        lambda: directory_groups.tell_group(actor=actor, group=public_id, **said),
        actor=actor, about=about_group(public_id, said["people"], patch),
    )  # fmt: skip


# -- ourselves ----------------------------------------------------------------------------------------------------


def config(request: HttpRequest, actor: Person) -> HttpResponse:
    said = CONFIG.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
    return answer(
        said | {"meta": {"resourceType": "ServiceProviderConfig", "location": f"{base()}/ServiceProviderConfig"}}
    )


def resource_types(request: HttpRequest, actor: Person) -> HttpResponse:
    return _published(ResourceType, PROVIDER.resource_types)


def resource_type(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    return _published_one(PROVIDER.resource_types, public_id)


def schemas(request: HttpRequest, actor: Person) -> HttpResponse:
    return _published(Schema, PROVIDER.schemas)


def schema(request: HttpRequest, actor: Person, public_id: str) -> HttpResponse:
    return _published_one(PROVIDER.schemas, public_id)


def _published(model: type[Any], found: Iterable[Any]) -> HttpResponse:
    rows = list(found)
    said: Any = _LISTS[model](total_results=len(rows), start_index=1, items_per_page=len(rows), resources=rows)
    return answer(json.loads(said.model_dump_json(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)))


def _published_one(found: Iterable[Any], public_id: str) -> HttpResponse:
    for one in found:
        if str(one.id) == public_id:
            return answer(json.loads(one.model_dump_json(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)))
    raise NotFoundException(detail="there is no such resource")
