# SPDX-License-Identifier: Apache-2.0
"""How long an emergency role opens at most, by organisation.

Rows: each organisation, a handful, gets an hour. Locks: a column with a constant value, instant on PostgreSQL; a copy of
the organisations on SQLite. Back: reversible; the setting is forgotten.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0007_identity_providers"),
    ]

    operations = [
        migrations.AddField(
            model_name="organisation",
            name="emergency_minutes",
            field=models.PositiveSmallIntegerField(default=60),
        ),
        migrations.AddConstraint(
            model_name="organisation",
            constraint=models.CheckConstraint(
                condition=models.Q(("emergency_minutes__gte", 5), ("emergency_minutes__lte", 240)),
                name="identity_emergency_minutes",
            ),
        ),
    ]
