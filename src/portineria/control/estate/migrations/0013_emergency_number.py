# SPDX-License-Identifier: Apache-2.0
"""The number of the newest terms of emergencies that a gateway was told: the next one is higher, whatever the clock says.

Rows: none is rewritten; 0 until terms are written next, which take the time as they did. Locks: one column with a
constant value, instant on PostgreSQL, a copy of one table on SQLite. Back: reversible; it is forgotten.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0012_gateway_understands"),
    ]

    operations = [
        migrations.AddField(
            model_name="gateway",
            name="emergency_number",
            field=models.PositiveBigIntegerField(default=0),
        ),
    ]
