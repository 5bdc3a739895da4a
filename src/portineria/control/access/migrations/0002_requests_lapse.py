# SPDX-License-Identifier: Apache-2.0
"""A request that waits in vain ends by itself, with why.

Rows: none change here; the timer closes what waits in vain after the start.
Locks: PostgreSQL scans access_accessrequest under ACCESS EXCLUSIVE while adding each constraint.
Back: reversible while nothing has lapsed; older code knows no such state.
"""

from django.db import migrations, models
from django.db.models import Q

_STATES = ["pending", "approved", "refused", "cancelled", "expired", "lapsed"]


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]

    operations = [
        migrations.AddField("accessrequest", "lapsed_why", models.CharField(blank=True, default="", max_length=120)),
        migrations.AlterField(
            "accessrequest",
            "state",
            models.CharField(
                choices=[(state, state.capitalize()) for state in _STATES], default="pending", max_length=12
            ),
        ),
        migrations.RemoveConstraint("accessrequest", "access_request_state"),
        migrations.AddConstraint(
            "accessrequest", models.CheckConstraint(condition=Q(state__in=_STATES), name="access_request_state")
        ),
        migrations.AddConstraint(
            "accessrequest",
            models.CheckConstraint(
                condition=Q(state="lapsed") & ~Q(lapsed_why="") | ~Q(state="lapsed") & Q(lapsed_why=""),
                name="access_request_lapsed_has_why",
            ),
        ),
    ]
