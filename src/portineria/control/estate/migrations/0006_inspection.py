# SPDX-License-Identifier: Apache-2.0
"""Which routes mean the device itself, and which protocols a gateway decodes.

Rows: none is rewritten. Locks: two columns with constant values, instant on PostgreSQL, a copy of two tables on SQLite.
Back: reversible; gateways say it again, routes are lost.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0005_machines_are_recorded"),
    ]

    operations = [
        migrations.AddField(
            model_name="gateway",
            name="inspects",
            field=models.CharField(blank=True, default="", max_length=1600),
        ),
        migrations.AddField(
            model_name="service",
            name="own_routes",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
    ]
