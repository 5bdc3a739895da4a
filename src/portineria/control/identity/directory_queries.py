# SPDX-License-Identifier: Apache-2.0
"""What a directory sees through SCIM: people of its own organisation and the groups that it made there."""

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from portineria.control.identity.directory import organisation_served
from portineria.control.identity.directory_models import DirectoryEntry
from portineria.control.identity.group_models import Group, GroupMember, JoinedBy
from portineria.control.identity.models import Membership, Organisation, Person


def served_people(actor: Person) -> QuerySet[Person]:
    """Members, and whom the directory closed by ending their membership; no programs, nobody whom it took away.

    ``entries``: of this organisation, at most one; ``belonging``: likewise their membership.
    """
    owner = organisation_served(actor)
    entries = DirectoryEntry.objects.filter(organisation=owner)
    mine = entries.filter(person=OuterRef("pk"))
    member = Membership.objects.filter(organisation=owner, person=OuterRef("pk"))
    found = Person.objects.get_queryset().filter(
        Q(Exists(member)) | Q(Exists(mine)),
        ~Exists(mine.filter(removed=True)),
        is_service=False,
        erased_at__isnull=True,
    )
    in_groups = GroupMember.objects.filter(group__provisioned=True, by=JoinedBy.DIRECTORY).select_related("group")
    memberships = Membership.objects.filter(organisation=owner)
    return found.prefetch_related(
        Prefetch("directory", entries, to_attr="entries"),
        Prefetch(
            "memberships", memberships.prefetch_related(Prefetch("in_groups", in_groups, to_attr="directed")),
            to_attr="belonging",
        ),
    ).order_by("pk")  # fmt: skip


def served_groups(actor: Person) -> QuerySet[Group]:
    """``directed``: whom each has by the directory."""
    people = GroupMember.objects.filter(by=JoinedBy.DIRECTORY).select_related("membership__person").order_by("pk")
    found = Group.objects.open().filter(organisation=organisation_served(actor), provisioned=True)
    return found.prefetch_related(Prefetch("members", people, to_attr="directed")).order_by("pk")


def awaited(organisation: Organisation, email: str) -> Person | None:
    """Somebody whose account a directory made here and who has no way in yet: no other organisation knows them."""
    entry = DirectoryEntry.objects.filter(organisation=organisation, person__email=email, made=True, removed=False)
    found = entry.select_related("person").first()
    if found is None or found.person.has_usable_password() or found.person.socialaccount_set.exists():  # type: ignore[attr-defined]  # allauth's
        return None
    elsewhere = found.person.memberships.exclude(organisation=organisation).exists()
    return None if elsewhere else found.person
