# SPDX-License-Identifier: Apache-2.0
"""Who may ask to look through recordings of people, and who decides about it.

Rows: one new table, empty: until somebody is named nobody looks through recordings. Locks: none beside the short ones
for foreign keys. Back: reversible, and who was named is gone then.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0005_lead"),
        ("privacy", "0002_terms"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Appointment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("duty", models.CharField(choices=[("reader", "Reader"), ("guardian", "Guardian")], max_length=16)),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="identity.organisation",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organisation", "person"), name="privacy_one_duty"),
                    models.CheckConstraint(
                        condition=models.Q(("duty__in", ["reader", "guardian"])), name="privacy_duty_known"
                    ),
                ],
            },
        ),
    ]
