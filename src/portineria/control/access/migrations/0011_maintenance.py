# SPDX-License-Identifier: Apache-2.0
"""Maintenance of machines and lines, and rules that ask for it. A new table, and a column that no rule uses yet."""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0010_job_entries"),
        ("estate", "0008_emergencies"),
        ("identity", "0008_emergency_minutes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="needs_maintenance",
            field=models.BooleanField(default=False),
        ),
        migrations.CreateModel(
            name="Maintenance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["MAINTENANCE"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                ("begun_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("ended_reason", models.CharField(blank=True, default="", max_length=500)),
                (
                    "begun_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "ended_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="maintenance",
                        to="estate.line",
                    ),
                ),
                (
                    "machine",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="maintenance",
                        to="estate.machine",
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="maintenance",
                        to="identity.organisation",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["organisation", "ended_at"], name="access_maintenance_holding")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("line__isnull", False), ("machine__isnull", True)),
                            models.Q(("line__isnull", True), ("machine__isnull", False)),
                            _connector="OR",
                        ),
                        name="access_maintenance_names_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at__isnull", True), ("ends_at__gt", models.F("begun_at")), _connector="OR"
                        ),
                        name="access_maintenance_ends_after_start",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), _negated=True),
                            models.Q(
                                models.Q(("ended_by__isnull", True), ("ended_reason", "")),
                                models.Q(
                                    ("ended_at__isnull", False),
                                    ("ended_by__isnull", False),
                                    models.Q(("ended_reason", ""), _negated=True),
                                ),
                                _connector="OR",
                            ),
                        ),
                        name="access_maintenance_ended_with_reason",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("machine",),
                        name="access_maintenance_machine_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("line",),
                        name="access_maintenance_line_once",
                    ),
                ],
            },
        ),
    ]
