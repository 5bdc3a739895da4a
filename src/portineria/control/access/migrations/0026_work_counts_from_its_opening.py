# SPDX-License-Identifier: Apache-2.0
"""What is given without a stated start counts from the first session opened under it.

Rows: those of before keep their two times. Locks: two columns without a value, instant on PostgreSQL, and a constraint
that reads every grant once; a copy of them on SQLite. Back: reversible; what was not begun then ends when it should
have begun.
"""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("access", "0025_approval_levels")]

    operations = [
        migrations.AddField(
            model_name="grant", name="minutes", field=models.PositiveIntegerField(blank=True, null=True)
        ),
        migrations.AddField(model_name="grant", name="opened_at", field=models.DateTimeField(blank=True, null=True)),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.CheckConstraint(
                name="access_grant_counted",
                condition=Q(minutes__isnull=True, opened_at__isnull=True)
                | Q(minutes__gte=1, minutes__lte=10080)
                & (Q(opened_at__isnull=True) | Q(opened_at__gte=F("starts_at"))),
            ),
        ),
    ]
