# SPDX-License-Identifier: Apache-2.0
"""What a gateway understands of orders, by its own word; and room for nodes among what may be read freely.

Rows: none is rewritten; empty until its next question, a second or so after it is linked. Locks: one column with a
constant value, and a longer limit of another, instant on PostgreSQL, a copy of two tables on SQLite. Back: reversible
while no service names more than 200 characters; orders say less then.
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
        migrations.AlterField(
            model_name="service",
            name="free_reads",
            field=models.CharField(blank=True, default="", max_length=1000),
        ),
    ]
