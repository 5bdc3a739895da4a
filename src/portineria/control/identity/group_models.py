# SPDX-License-Identifier: Apache-2.0
"""Named groups of an organisation's people, of whom rules speak."""

from functools import partial
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portineria.control.identity.provider_models import GROUP_CHARACTERS, IdentityProvider
from portineria.core.ids import Kind, new_id

if TYPE_CHECKING:
    from portineria.control.identity.models import Person


class GroupQuerySet(models.QuerySet["Group"]):
    def visible_to(self, actor: "Person") -> "GroupQuerySet":
        return self.filter(organisation__in=actor.staff_of)

    def open(self) -> "GroupQuerySet":
        return self.filter(closed_at__isnull=True)


class Group(models.Model):
    """One that is closed has nobody in it and stays for what names it: rules that ended, and the register."""

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=24, unique=True, editable=False, default=partial(new_id, Kind.GROUP)
    )
    organisation = models.ForeignKey("identity.Organisation", on_delete=models.PROTECT, related_name="groups")
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    # As a directory calls it that keeps it through SCIM (RFC 7643, 3.1); empty: none does.
    external_id = models.CharField(max_length=GROUP_CHARACTERS, blank=True, default="")
    provisioned = models.BooleanField(default=False)  # a directory made it through SCIM, and may close it

    objects = GroupQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="identity_group_name", fields=["organisation", "name"], condition=Q(closed_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class GroupSource(models.Model):
    """Whoever is in ``claimed`` at the provider when they sign in by it is in ``group`` here until a later sign-in."""

    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="group_sources")
    claimed = models.CharField(max_length=GROUP_CHARACTERS)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="sources")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_group_source_once", fields=["provider", "claimed", "group"]),
            models.CheckConstraint(name="identity_group_source_claimed", condition=~Q(claimed="")),
        ]

    def __str__(self) -> str:
        return f"{self.claimed}: {self.group_id}"


class JoinedBy(models.TextChoices):
    HAND = "hand"  # an administrator here
    PROVIDER = "provider"  # a sign-in through an identity provider
    DIRECTORY = "directory"  # SCIM


class GroupMember(models.Model):
    """Somebody is in a group for as long as one reason holds, and never longer than they belong to its organisation."""

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="members")
    membership = models.ForeignKey("identity.Membership", on_delete=models.CASCADE, related_name="in_groups")
    by = models.CharField(max_length=10, choices=JoinedBy.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_group_member_once", fields=["group", "membership", "by"]),
            models.CheckConstraint(name="identity_group_member_by", condition=Q(by__in=JoinedBy.values)),
        ]

    def __str__(self) -> str:
        return f"{self.membership_id} in {self.group_id}"
