# SPDX-License-Identifier: Apache-2.0
"""Time stamps of checkpoints. A new table; a release before this one leaves it alone.

Back: reversible; the stamps are lost, the checkpoints they were of are not.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_search_filled")]

    operations = [
        migrations.CreateModel(
            name="TimeStamp",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stamp", models.BinaryField()),
                ("at", models.DateTimeField()),
                (
                    "checkpoint",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="time_stamp", to="audit.checkpoint"
                    ),
                ),
            ],
        ),
    ]
