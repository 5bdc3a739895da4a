# SPDX-License-Identifier: Apache-2.0
from django.db.models import Count, QuerySet

from portineria.control.identity.group_models import Group, GroupMember, GroupQuerySet, GroupSource
from portineria.control.identity.models import Person
from portineria.core.errors import NotFound


def groups(actor: Person, search: str = "") -> GroupQuerySet:
    """Open ones of the organisations whose staff the actor is, by name; ``people``: how many are in each."""
    found = Group.objects.visible_to(actor).open()
    for word in search.split():
        found = found.filter(name__icontains=word)
    counted = found.annotate(people=Count("members__membership", distinct=True))
    return counted.select_related("organisation").order_by("name", "pk")


def named_groups(actor: Person) -> GroupQuerySet:
    """Closed ones too: for what the register says of them."""
    return Group.objects.visible_to(actor)


def group(actor: Person, public_id: str) -> Group:
    found = groups(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound(f"group {public_id}")
    return found


def group_members(actor: Person, row: Group) -> QuerySet[GroupMember]:
    """By name; once for each reason why somebody is in it."""
    seen = GroupMember.objects.filter(group=row, group__organisation__in=actor.staff_of)
    people = seen.select_related("membership__person", "membership__supplier", "membership__organisation")
    return people.order_by("membership__person__name", "membership", "by")


def group_sources(actor: Person, row: Group) -> QuerySet[GroupSource]:
    seen = GroupSource.objects.filter(group=row, group__organisation__in=actor.staff_of)
    return seen.select_related("provider").order_by("provider__name", "claimed", "pk")
