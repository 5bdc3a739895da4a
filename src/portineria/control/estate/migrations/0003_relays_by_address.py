# SPDX-License-Identifier: Apache-2.0
"""A relay is its address, not its place in the settings' list.

Rows: none is rewritten. Locks: a handful of rows, instant on PostgreSQL, copied on SQLite. Back: reversible as long as no
two relays ever had the same place.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("estate", "0002_signers_and_gateways_without_code"),
    ]

    operations = [
        migrations.AlterField(
            model_name="relay",
            name="position",
            field=models.PositiveSmallIntegerField(),
        ),
        migrations.AddConstraint(
            model_name="relay",
            constraint=models.UniqueConstraint(fields=("host", "port"), name="estate_relay_address"),
        ),
    ]
