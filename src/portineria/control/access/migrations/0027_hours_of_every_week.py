# SPDX-License-Identifier: Apache-2.0
"""What is asked and given may come again every week.

Rows: those of before come once. Locks: columns with a constant value, instant on PostgreSQL, and constraints that read
every grant and request once; a copy of them on SQLite. Back: reversible; what came again would be open from its first
time to its last: revoke it before.
"""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("access", "0026_work_counts_from_its_opening")]

    operations = [
        *(
            migrations.AddField(
                model_name=model, name="weekly", field=models.CharField(blank=True, default="", max_length=60)
            )
            for model in ("grant", "accessrequest")
        ),
        migrations.AddField(model_name="accessrequest", name="until", field=models.DateField(blank=True, null=True)),
        migrations.AddConstraint(
            model_name="accessrequest",
            constraint=models.CheckConstraint(
                name="access_request_weekly",
                condition=Q(weekly="", until__isnull=True) | ~Q(weekly="") & Q(until__isnull=False),
            ),
        ),
        migrations.RemoveConstraint(model_name="grant", name="access_grant_counted"),
        migrations.AddConstraint(
            model_name="grant",
            constraint=models.CheckConstraint(
                name="access_grant_counted",
                condition=Q(minutes__isnull=True, opened_at__isnull=True, weekly="")
                | Q(minutes__gte=1, minutes__lte=10080)
                & (Q(opened_at__isnull=True) | Q(opened_at__gte=F("starts_at"), weekly="")),
            ),
        ),
    ]
