# SPDX-License-Identifier: Apache-2.0
"""Rules have windows; what is locked is kept in rows.

Rows: none is rewritten: rules that are there have no windows and are open always, and nothing is locked. Locks: one
column with a constant value and a new table, instant on PostgreSQL beside the short lock for each foreign key; a copy
of the rules on SQLite. Back: reversible; windows and locks are forgotten.
"""

import functools

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import portineria.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0004_function_profiles"),
        ("estate", "0006_inspection"),
        ("identity", "0005_lead"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="rule",
            name="windows",
            field=models.CharField(blank=True, default="", max_length=1000),
        ),
        migrations.CreateModel(
            name="Lock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(
                        default=functools.partial(
                            portineria.core.ids.new_id, *(portineria.core.ids.Kind["LOCK"],), **{}
                        ),
                        editable=False,
                        max_length=24,
                        unique=True,
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ("lifted_reason", models.CharField(blank=True, default="", max_length=500)),
                (
                    "gateway",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="locks",
                        to="estate.gateway",
                    ),
                ),
                (
                    "lifted_by",
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
                        related_name="locks",
                        to="estate.line",
                    ),
                ),
                (
                    "machine",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="locks",
                        to="estate.machine",
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="locks", to="identity.organisation"
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="locks",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "plant",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="locks",
                        to="estate.plant",
                    ),
                ),
                (
                    "supplier",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="locks",
                        to="identity.supplier",
                    ),
                ),
                (
                    "zone",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="locks",
                        to="estate.zone",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["organisation", "lifted_at"], name="access_lock_holding")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("gateway__isnull", True),
                                ("line__isnull", True),
                                ("machine__isnull", True),
                                ("person__isnull", True),
                                ("plant__isnull", True),
                                ("supplier__isnull", True),
                                ("zone__isnull", True),
                            ),
                            models.Q(
                                ("gateway__isnull", True),
                                ("line__isnull", True),
                                ("machine__isnull", True),
                                ("person__isnull", False),
                                ("plant__isnull", True),
                                ("supplier__isnull", True),
                                ("zone__isnull", True),
                            ),
                            models.Q(
                                ("gateway__isnull", True),
                                ("line__isnull", True),
                                ("machine__isnull", True),
                                ("person__isnull", True),
                                ("plant__isnull", True),
                                ("supplier__isnull", False),
                                ("zone__isnull", True),
                            ),
                            models.Q(
                                ("gateway__isnull", True),
                                ("line__isnull", True),
                                ("machine__isnull", False),
                                ("person__isnull", True),
                                ("plant__isnull", True),
                                ("supplier__isnull", True),
                                ("zone__isnull", True),
                            ),
                            models.Q(
                                ("gateway__isnull", True),
                                ("line__isnull", False),
                                ("machine__isnull", True),
                                ("person__isnull", True),
                                ("plant__isnull", True),
                                ("supplier__isnull", True),
                                ("zone__isnull", True),
                            ),
                            models.Q(
                                ("gateway__isnull", True),
                                ("line__isnull", True),
                                ("machine__isnull", True),
                                ("person__isnull", True),
                                ("plant__isnull", True),
                                ("supplier__isnull", True),
                                ("zone__isnull", False),
                            ),
                            models.Q(
                                ("gateway__isnull", True),
                                ("line__isnull", True),
                                ("machine__isnull", True),
                                ("person__isnull", True),
                                ("plant__isnull", False),
                                ("supplier__isnull", True),
                                ("zone__isnull", True),
                            ),
                            models.Q(
                                ("gateway__isnull", False),
                                ("line__isnull", True),
                                ("machine__isnull", True),
                                ("person__isnull", True),
                                ("plant__isnull", True),
                                ("supplier__isnull", True),
                                ("zone__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="access_lock_names_one",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reason", ""), _negated=True),
                            models.Q(
                                models.Q(
                                    ("lifted_at__isnull", True), ("lifted_by__isnull", True), ("lifted_reason", "")
                                ),
                                models.Q(("lifted_at__isnull", False), models.Q(("lifted_reason", ""), _negated=True)),
                                _connector="OR",
                            ),
                        ),
                        name="access_lock_lifted_with_reason",
                    ),
                ],
            },
        ),
    ]
