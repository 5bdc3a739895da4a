# SPDX-License-Identifier: Apache-2.0
"""A yes keeps which level of its rule was asked when it was said, of how many.

Rows: of those that were said before nobody kept it; they say none. Locks: columns with a constant value, instant on
PostgreSQL, and a constraint that reads every yes once; a copy of them on SQLite. Back: reversible; it is lost.
"""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("access", "0028_approver_hours")]

    operations = [
        migrations.AddField("approval", "level", models.PositiveSmallIntegerField(default=0)),
        migrations.AddField("approval", "of_levels", models.PositiveSmallIntegerField(default=0)),
        migrations.AddConstraint(
            "approval",
            models.CheckConstraint(
                name="access_approval_level",
                condition=Q(level=0, of_levels=0) | Q(level__gte=1, of_levels__gte=F("level"), approved=True),
            ),
        ),
    ]
