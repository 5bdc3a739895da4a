# SPDX-License-Identifier: Apache-2.0
"""Rules have windows.

Rows: none is rewritten: rules that are there have none, and are open always, as before. Locks: one column with a
constant value, instant on PostgreSQL, a copy of the table on SQLite. Back: reversible; the windows are forgotten.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0004_function_profiles"),
    ]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="windows",
            field=models.CharField(blank=True, default="", max_length=1000),
        ),
    ]
