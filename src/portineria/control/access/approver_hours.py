# SPDX-License-Identifier: Apache-2.0
"""When somebody can be asked for their yes: hours of the week, by their own clock. The table."""

from datetime import datetime, timedelta

from django.db import models

from portineria.control.identity.models import Organisation, Person
from portineria.core.time_zones import zone_named
from portineria.policy.windows import ALWAYS, TEXT, Schedule, parse_windows

_A_WEEK = timedelta(days=8)  # and the day by which clocks may differ


class ApproverHours(models.Model):
    """Of one person in one organisation. ``windows``: weekly ones, as ``policy.windows`` writes them; empty: always.

    They say when to ask, and nothing about what a yes is worth.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="approver_hours")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="approver_hours")
    windows = models.CharField(max_length=TEXT, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="access_hours_once", fields=["person", "organisation"]),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.windows}"

    @property
    def counts(self) -> bool:
        """Not by a clock that nobody knows any more: then they are asked at any hour."""
        return zone_named(self.person.time_zone) is not None

    def here_at(self, at: datetime) -> bool:
        return self._schedule().open_at(at)

    def back_at(self, at: datetime) -> datetime | None:
        """When they begin next; now, while they last."""
        return self._schedule().opens_within(at, at + _A_WEEK)

    def _schedule(self) -> Schedule:
        zone = zone_named(self.person.time_zone)
        return Schedule(parse_windows(self.windows), zone) if zone is not None else ALWAYS
