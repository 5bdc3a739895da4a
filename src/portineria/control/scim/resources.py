# SPDX-License-Identifier: Apache-2.0
"""People and groups as SCIM says them (RFC 7643): the attributes that we keep, and no others.

What else a directory sends is accepted and forgotten: Entra ID and Okta send postal addresses unasked.
"""

import hashlib
from typing import Annotated, Any, TypeVar

from pydantic import Field
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Filter,
    Meta,
    Mutability,
    Patch,
    Reference,
    Required,
    Resource,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from portineria.control.identity.directory import Said
from portineria.control.identity.group_models import Group as GroupRow
from portineria.control.identity.models import Person
from portineria.control.settings.start import current

MOST_RESULTS = 200
R = TypeVar("R", "User", "Group")


class GroupOfUser(ComplexAttribute):
    value: Annotated[str | None, Mutability.read_only] = None
    display: Annotated[str | None, Mutability.read_only] = None


class User(Resource[Any]):
    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """The e-mail address by which the person signs in."""

    display_name: Annotated[str | None, Required.true] = None
    """The person's name, as others here read it."""

    active: Annotated[bool | None, Required.true] = None
    """False: they are out at once, and what they have open is cut."""

    groups: Annotated[list[GroupOfUser] | None, Mutability.read_only] = None
    """Groups of this directory that they are in."""


class Member(ComplexAttribute):
    value: Annotated[str | None, Mutability.immutable, Required.true] = None
    """Id of a person of this organisation."""

    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """Where that person is found."""


class Group(Resource[Any]):
    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """The group's name, by which rules are made."""

    members: list[Member] | None = None
    """People whom this directory put in."""


# As Entra ID and Okta speak: they send what we do not keep, and name whom to remove in the value of an operation.
POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
)
CONFIG = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=MOST_RESULTS),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=True),
    etag=ETag(supported=True),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="Bearer token",
            description="Of a service account, made for a directory in the console.",
        )
    ],
)
PROVIDER = ScimProvider(models=[User, Group], config=CONFIG, policy=POLICY)


def base() -> str:
    return current().public_url.rstrip("/") + "/scim/v2"


def user_of(row: Person) -> User:
    """``row`` by ``directory_queries.served_people``."""
    [entry] = row.entries or [None]  # type: ignore[attr-defined]
    [membership] = row.belonging or [None]  # type: ignore[attr-defined]
    directed = membership.directed if membership is not None else []
    found = User(
        id=row.public_id, external_id=(entry.external_id if entry else "") or None,
        user_name=row.email, display_name=row.name, active=row.enabled and membership is not None,
        groups=[GroupOfUser(value=one.group.public_id, display=one.group.name) for one in directed] or None,
    )  # fmt: skip
    changed = entry.changed_at if entry is not None else row.created_at
    return _described(found, "User", row.created_at, max(changed, row.created_at))


def group_of(row: GroupRow) -> Group:
    """``row`` by ``directory_queries.served_groups``."""
    people = [one.membership.person for one in row.directed]  # type: ignore[attr-defined]
    found = Group(
        id=row.public_id, external_id=row.external_id or None, display_name=row.name,
        members=[
            Member(value=one.public_id, ref=Reference[User](f"{base()}/Users/{one.public_id}"))
            for one in people
        ] or None,
    )  # fmt: skip
    return _described(found, "Group", row.created_at, row.created_at)


def _described(found: R, kind: str, created: Any, changed: Any) -> R:
    said = found.model_dump_json().encode()
    found.meta = Meta(
        resource_type=kind, created=created, last_modified=changed, location=f"{base()}/{kind}s/{found.id}",
        version=f'W/"{hashlib.sha256(said).hexdigest()[:24]}"',
    )  # fmt: skip
    return found


def version_of(found: User | Group) -> str:
    assert found.meta is not None  # noqa: S101  # as described above
    return str(found.meta.version)


def said_of(user: User) -> Said:
    return Said(user.user_name or "", user.display_name or "", user.active is not False, user.external_id or "")


def with_defaults(body: dict[str, Any], before: User | None = None) -> dict[str, Any]:
    """What a directory leaves out and we need: it is active, and called as its other names say, or as before."""
    given = {key.lower(): value for key, value in body.items()}
    if given.get("active") is None:
        body = {key: value for key, value in body.items() if key.lower() != "active"}
        body["active"] = before.active if before is not None else True
    if "displayname" not in given:
        body = body | {"displayName": before.display_name if before is not None else _name_in(body)}
    return body


def _name_in(body: dict[str, Any]) -> str:
    name = next((value for key, value in body.items() if str(key).lower() == "name"), None)
    parts = {str(key).lower(): value for key, value in name.items()} if isinstance(name, dict) else {}
    both = " ".join(str(parts[key]) for key in ("givenname", "familyname") if parts.get(key))
    address = next((str(value) for key, value in body.items() if str(key).lower() == "username"), "")
    return str(parts.get("formatted") or "") or both or address.partition("@")[0]
