# SPDX-License-Identifier: Apache-2.0
"""Reasons that an organisation offers to whoever asks.

Rows: a new table, empty; rules and requests get columns that say nothing. Locks: short ones, for columns with constant
defaults. Back: reversible; which reason was chosen stays in the register only.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0017_second_factor_age"),
        ("estate", "0008_emergencies"),
        ("identity", "0015_factor_age"),
    ]

    operations = [
        migrations.AddField(
            model_name="accessrequest",
            name="listed_reason",
            field=models.CharField(blank=True, default="", max_length=60),
        ),
        migrations.AddField(
            model_name="rule",
            name="needs_listed_reason",
            field=models.BooleanField(default=False),
        ),
        migrations.CreateModel(
            name="ListedReason",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField()),
                ("text", models.CharField(max_length=60)),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="listed_reasons",
                        to="identity.organisation",
                    ),
                ),
                (
                    "plant",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="listed_reasons",
                        to="estate.plant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("plant__isnull", True)),
                        fields=("organisation", "text"),
                        name="access_reason_once",
                    ),
                    models.UniqueConstraint(fields=("plant", "text"), name="access_reason_once_there"),
                    models.CheckConstraint(condition=models.Q(("text", ""), _negated=True), name="access_reason_says"),
                ],
            },
        ),
    ]
