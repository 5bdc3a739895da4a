# SPDX-License-Identifier: Apache-2.0
"""Approvers say in which hours of the week they can be asked.

Rows: none at first; whoever has none is asked at any hour. Locks: a new table, instant; the two tables that it refers to
are locked for that moment against writing. Back: reversible; who said hours is asked at any hour again.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0027_hours_of_every_week"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApproverHours",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("windows", models.CharField(blank=True, default="", max_length=1000)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approver_hours",
                        to="identity.organisation",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approver_hours",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("person", "organisation"), name="access_hours_once")],
            },
        ),
    ]
