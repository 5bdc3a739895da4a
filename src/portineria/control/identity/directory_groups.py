# SPDX-License-Identifier: Apache-2.0
"""Groups that a directory keeps through SCIM. It sees those that it made, and no others."""

from collections.abc import Iterable

from django.db import transaction

from portineria.control.audit.services import record
from portineria.control.identity import groups
from portineria.control.identity.directory import WHY, clean_external_id, organisation_served
from portineria.control.identity.group_models import Group, JoinedBy
from portineria.control.identity.models import Membership, Person, Role
from portineria.control.identity.services import BadField, NameTaken, clean_name
from portineria.core.errors import NotFound

MOST_MEMBERS = 5000


@transaction.atomic
def bring_group(*, actor: Person, name: str, external_id: str, people: Iterable[str]) -> Group:
    """``people``: ids. Raise NameTaken, BadField, TooManyGroups."""
    owner = organisation_served(actor)
    external = clean_external_id(external_id)
    made = groups.make_group(actor.public_id, owner, name, external_id=external, provisioned=True)
    made.organisation = owner
    _set_people(actor, made, people)
    return made


@transaction.atomic
def tell_group(*, actor: Person, group: str, name: str, external_id: str, people: Iterable[str]) -> Group:
    """All that it says of a group of its own. Raise NotFound as well."""
    row, name = _locked(actor, group), clean_name(name)
    if name != row.name and Group.objects.open().filter(organisation=row.organisation_id, name=name).exists():
        raise NameTaken(f"group {name!r}")
    if name != row.name:
        record(
            "identity.group.renamed", organisation=row.organisation.public_id, actor=actor.public_id,
            group=row.public_id, name=name, previous=row.name,
        )  # fmt: skip
    row.name, row.external_id = name, clean_external_id(external_id)
    row.save(update_fields=["name", "external_id"])
    _set_people(actor, row, people)
    return row


@transaction.atomic
def take_group_away(*, actor: Person, group: str) -> None:
    """Everybody leaves it; rules that name it let nobody in."""
    groups.shut(actor.public_id, _locked(actor, group), WHY)


def held_group(*, actor: Person, group: str) -> None:
    """As ``directory.held``."""
    _locked(actor, group)


def _locked(actor: Person, group: str) -> Group:
    owner = organisation_served(actor)
    rows = Group.objects.open().filter(organisation=owner, provisioned=True)
    row = rows.select_for_update(of=("self",), no_key=True).select_related("organisation").filter(public_id=group)
    found = row.first()
    if found is None:
        raise NotFound(f"group {group}")
    return found


def _set_people(actor: Person, group: Group, people: Iterable[str]) -> None:
    """Whom it has by the directory; who is in it for another reason stays."""
    wanted = set(people)
    if len(wanted) > MOST_MEMBERS:
        raise BadField("members", f"at most {MOST_MEMBERS}", most=MOST_MEMBERS)
    rows = Membership.objects.filter(organisation=group.organisation_id).exclude(role=Role.SERVICE)
    named = {row.person.public_id: row for row in rows.filter(person__public_id__in=wanted).select_related("person")}
    if wanted - named.keys():
        raise BadField("members", "somebody who does not belong to this organisation", most=MOST_MEMBERS)
    given = group.members.filter(by=JoinedBy.DIRECTORY).select_related("membership__person")
    there = {row.membership.person.public_id: row.membership for row in given}
    for person in sorted(there.keys() - wanted):
        groups.leave(actor.public_id, group, there[person], JoinedBy.DIRECTORY)
    for person in sorted(wanted - there.keys()):
        groups.join(actor.public_id, group, named[person], JoinedBy.DIRECTORY)
