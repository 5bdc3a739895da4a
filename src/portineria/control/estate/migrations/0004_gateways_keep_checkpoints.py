# SPDX-License-Identifier: Apache-2.0
"""What gateways say of the checkpoint they keep.

Rows: none is rewritten. Locks: two columns with constant values, instant on PostgreSQL, a copy of a small table on
SQLite. Back: reversible; gateways say it again.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0003_relays_by_address"),
    ]

    operations = [
        migrations.AddField(
            model_name="gateway",
            name="register_size",
            field=models.PositiveBigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="gateway",
            name="register_ahead",
            field=models.PositiveBigIntegerField(default=0),
        ),
    ]
