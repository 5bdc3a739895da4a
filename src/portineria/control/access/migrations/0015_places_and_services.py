# SPDX-License-Identifier: Apache-2.0
"""Rules name plants, zones, lines and labels, and single services of machines; grants keep which services those were.

Rows: a new table, empty; a short column of rules and of grants, empty for all that are there, which means every
service. Locks: on PostgreSQL the columns are added without a rewrite. Back: reversible; a rule that named no machine
one by one names none then, and one that named single services names all.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0014_rules_pause"),
        ("estate", "0010_machine_labels"),
    ]

    operations = [
        migrations.AddField(
            model_name="grant",
            name="only_services",
            field=models.CharField(blank=True, default="", max_length=1219),
        ),
        migrations.AddField(
            model_name="rule",
            name="only_services",
            field=models.CharField(blank=True, default="", max_length=1219),
        ),
        migrations.CreateModel(
            name="RulePlace",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "label",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="estate.label",
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="estate.line",
                    ),
                ),
                (
                    "plant",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="estate.plant",
                    ),
                ),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="places", to="access.rule"
                    ),
                ),
                (
                    "zone",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="estate.zone",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("label__isnull", True),
                                ("line__isnull", True),
                                ("plant__isnull", False),
                                ("zone__isnull", True),
                            ),
                            models.Q(
                                ("label__isnull", True),
                                ("line__isnull", True),
                                ("plant__isnull", True),
                                ("zone__isnull", False),
                            ),
                            models.Q(
                                ("label__isnull", True),
                                ("line__isnull", False),
                                ("plant__isnull", True),
                                ("zone__isnull", True),
                            ),
                            models.Q(
                                ("label__isnull", False),
                                ("line__isnull", True),
                                ("plant__isnull", True),
                                ("zone__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="access_place_is_one",
                    ),
                    models.UniqueConstraint(fields=("rule", "plant"), name="access_place_plant_once"),
                    models.UniqueConstraint(fields=("rule", "zone"), name="access_place_zone_once"),
                    models.UniqueConstraint(fields=("rule", "line"), name="access_place_line_once"),
                    models.UniqueConstraint(fields=("rule", "label"), name="access_place_label_once"),
                ],
            },
        ),
    ]
