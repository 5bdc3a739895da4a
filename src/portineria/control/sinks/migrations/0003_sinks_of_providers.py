# SPDX-License-Identifier: Apache-2.0
"""Sinks that a provider added to a customer's register.

Rows: a handful, all the organisation's own. Locks: an empty column, instant on PostgreSQL; a copy of the sinks on SQLite.
Back: reversible where no provider has one.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0011_delegated_sinks"),
        ("sinks", "0002_ticket_notes"),
    ]

    operations = [
        migrations.AddField(
            model_name="sink",
            name="delegation",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sinks",
                to="identity.delegation",
            ),
        ),
    ]
