# SPDX-License-Identifier: Apache-2.0
"""Of whom a rule wants a yes, level after level: the tables. What they mean is in ``levels``."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from portineria.control.identity.models import Group, Person

MOST_APPROVALS = 5  # of one level: people who all have to be found before the next one is asked
MOST_LEVELS = 3
MOST_NAMED = 10  # people of one level


class AsksLevels(models.Model):
    """Of a rule. ``approvals``: of how many people, where one is needed at all; over all of its levels together.
    ``level_count``: 0 where these are simply of whoever approves there, and it has no levels.
    """

    approvals = models.PositiveSmallIntegerField(default=1)
    level_count = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True


APPROVALS = models.CheckConstraint(
    name="access_rule_approvals", condition=Q(approvals__gte=1, approvals__lte=MOST_LEVELS * MOST_APPROVALS)
)
LEVELS_COUNTED = models.CheckConstraint(
    name="access_rule_levels", condition=Q(level_count=0) | Q(level_count__lte=MOST_LEVELS, needs_approval=True)
)


class OfWhom(models.TextChoices):
    ANYBODY = "anybody"  # who approves there
    GROUP = "group"
    PEOPLE = "people"


class RuleLevel(models.Model):
    """``whom`` is told apart from what it names: a level of people is never one of anybody because they are gone."""

    rule = models.ForeignKey("access.Rule", on_delete=models.CASCADE, related_name="levels")
    number = models.PositiveSmallIntegerField()
    approvals = models.PositiveSmallIntegerField(default=1)
    whom = models.CharField(max_length=8, choices=OfWhom.choices)
    group = models.ForeignKey(Group, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="access_level_once", fields=["rule", "number"]),
            models.CheckConstraint(name="access_level_number", condition=Q(number__gte=1, number__lte=MOST_LEVELS)),
            models.CheckConstraint(
                name="access_level_approvals", condition=Q(approvals__gte=1, approvals__lte=MOST_APPROVALS)
            ),
            models.CheckConstraint(
                name="access_level_whom",
                condition=Q(whom=OfWhom.GROUP.value, group__isnull=False)
                | Q(whom__in=[OfWhom.ANYBODY.value, OfWhom.PEOPLE.value], group__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id}.{self.number}"


class LevelPerson(models.Model):
    """One whom a level names."""

    level = models.ForeignKey(RuleLevel, on_delete=models.CASCADE, related_name="people")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="access_level_person_once", fields=["level", "person"])
        ]

    def __str__(self) -> str:
        return self.person.name
