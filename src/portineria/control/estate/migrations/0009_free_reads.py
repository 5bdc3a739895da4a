# SPDX-License-Identifier: Apache-2.0
"""What of a service the gateway may read by itself, because reading it has no side effect.

Rows: none is rewritten. Locks: one column with a constant value, instant on PostgreSQL, a copy of one table on SQLite.
Back: reversible; the ranges are lost, and nothing is read by the gateway.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0008_emergencies"),
    ]

    operations = [
        migrations.AddField(
            model_name="service",
            name="free_reads",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
    ]
