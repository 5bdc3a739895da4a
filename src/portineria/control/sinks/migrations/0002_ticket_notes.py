# SPDX-License-Identifier: Apache-2.0

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sinks", "0001_sinks"),
    ]

    operations = [
        migrations.CreateModel(
            name="TicketNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("session", models.CharField(max_length=24, unique=True)),
                ("ticket", models.CharField(max_length=60)),
                ("text", models.CharField(max_length=1000)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("over_at", models.DateTimeField(blank=True, null=True)),
                (
                    "sink",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="notes", to="sinks.sink"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["over_at"], name="sinks_note_waiting")],
            },
        ),
    ]
