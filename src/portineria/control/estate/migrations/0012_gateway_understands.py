# SPDX-License-Identifier: Apache-2.0
"""What a gateway understands of orders, by its own word.

Rows: none is rewritten; empty until its next question, a second or so after it is linked. Locks: one column with a
constant value, instant on PostgreSQL, a copy of one table on SQLite. Back: reversible; orders say less then.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0011_machine_deputy"),
    ]

    operations = [
        migrations.AddField(
            model_name="gateway",
            name="understands",
            field=models.CharField(blank=True, default="", max_length=1600),
        ),
    ]
