# SPDX-License-Identifier: Apache-2.0
"""Which version of a sink's settings a batch was made by.

Rows: each sink, a handful, gets 1. Locks: a column with a constant value, instant on PostgreSQL; a copy of the sinks on
SQLite. Back: reversible; nothing is lost.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sinks", "0003_sinks_of_providers"),
    ]

    operations = [
        migrations.AddField(
            model_name="sink",
            name="version",
            field=models.PositiveIntegerField(default=1),
        ),
    ]
