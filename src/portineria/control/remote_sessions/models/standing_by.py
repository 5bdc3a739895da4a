# SPDX-License-Identifier: Apache-2.0
"""Who is there to watch before anything began."""

from django.db import models

from portineria.control.access.models import Grant
from portineria.control.identity.models import Person


class StandingBy(models.Model):
    """Whoever a grant's rule names to watch has its request's page open, or that of a session under it; while they do,
    ``seen_at`` is of a moment ago.
    """

    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="standing_by")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(name="sessions_standing_by", fields=["grant", "person"])]
