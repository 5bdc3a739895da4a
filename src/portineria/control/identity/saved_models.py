# SPDX-License-Identifier: Apache-2.0
"""Searches of the register that somebody wants to make again."""

from functools import partial
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils import timezone

from portineria.core.ids import Kind, new_id

if TYPE_CHECKING:
    from portineria.control.identity.models import Person

NAME_CHARACTERS = 60
QUERY_CHARACTERS = 2048


class SavedSearchQuerySet(models.QuerySet["SavedSearch"]):
    def visible_to(self, actor: "Person") -> "SavedSearchQuerySet":
        """Their own and those that are shared, where they read the register now."""
        return self.filter(Q(person=actor) | Q(shared=True), organisation__in=actor.staff_of)


class SavedSearch(models.Model):
    """``query``: as the address of the events' page says it. What it finds is what its reader sees, no more."""

    public_id: "models.CharField[str, str]" = models.CharField(
        max_length=24, unique=True, editable=False, default=partial(new_id, Kind.SEARCH)
    )
    person = models.ForeignKey("identity.Person", on_delete=models.CASCADE, related_name="searches")
    organisation = models.ForeignKey("identity.Organisation", on_delete=models.PROTECT, related_name="searches")
    name = models.CharField(max_length=NAME_CHARACTERS)
    query = models.CharField(max_length=QUERY_CHARACTERS)
    shared = models.BooleanField(default=False)
    made_at = models.DateTimeField(default=timezone.now)

    objects = SavedSearchQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="identity_search_name", fields=["person", "organisation", "name"]),
            models.CheckConstraint(name="identity_search_seeks", condition=~Q(query="")),
        ]

    def __str__(self) -> str:
        return self.name
