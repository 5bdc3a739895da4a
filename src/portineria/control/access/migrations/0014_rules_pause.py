# SPDX-License-Identifier: Apache-2.0
"""Until when nothing new begins under a rule.

Rows: none is changed. Locks: a column that may be empty, instant on PostgreSQL; a copy of the rules on SQLite. Back:
reversible; rules that are paused begin again.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0013_rules_name_groups"),
    ]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="paused_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
