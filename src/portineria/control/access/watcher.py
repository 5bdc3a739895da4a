# SPDX-License-Identifier: Apache-2.0
"""Whom a rule names to watch besides the first: the table. What it means is in ``watchers``."""

from typing import ClassVar

from django.db import models

from portineria.control.identity.models import Person


class WatcherManager(models.Manager["RuleWatcher"]):
    def get_queryset(self) -> "models.QuerySet[RuleWatcher]":
        """With the people, in the order in which they were named."""
        return super().get_queryset().select_related("person").order_by("pk")


class RuleWatcher(models.Model):
    """``Rule.watcher`` is the first of them; without one there are no others."""

    rule = models.ForeignKey("access.Rule", on_delete=models.CASCADE, related_name="watchers")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")

    objects = WatcherManager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="access_watcher_once", fields=["rule", "person"])
        ]

    def __str__(self) -> str:
        return self.person.name
